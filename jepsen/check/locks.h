// Locks and leases: one holder at a time, tokens that never fall where they are checked, and no
// lease that ends while it is kept. Pure; any thread.
#pragma once

#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Notes of one holder (`actor`), each with value {lock token}:
///   acquired                 it holds the lock from here on
///   released, lost           it does not count on it any more
///   resource {admitted}      it came to the outside resource, and was let in or not
///   fenced {applied}         it wrote under the fence; `revision` of the note: where that took
///   place
/// What has to hold:
/// - by their own account no two hold a lock at once;
/// - each token has one holder; a later acquisition has a higher one;
/// - at the resource nobody is let in after somebody with a higher token;
/// - no write under a token took place after the acquisition with the next one.
/// kEmpty: nobody acquired anything.
Finding check_locks(const History& history);

/// Notes, with value {lease}:
///   granted, renewed {ttl_ms asked_ns}   a question that began then kept it for ttl_ms
///   looked {there begun_ns}              whether its key was there
/// - it is there until ttl_ms after the last question that was answered began;
/// - after `dropped` (no question after it) it is gone within `gone_within_ms` at the last look.
Finding check_leases(const History& history);

}  // namespace jepsen
