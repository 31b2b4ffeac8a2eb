// A state that was found to differ from what a majority has is not repaired where it stands: it is
// put aside at the next opening, and comes anew from the log or from a leader (DESIGN section 6,
// rule 3).
#pragma once

#include <string>

#include "base/status.h"

namespace storage {

/// Writes down, durably, that the state is to be put aside. Errors: kIo, kDiskFull.
base::Status mark_state_for_discard(const std::string& member_directory, const std::string& reason);
/// Before the state is opened: puts it aside, as MEMBER/discarded-state (one before it goes), with
/// the reason in a file REASON, if it is marked. Whatever it is cut short by, the next opening goes
/// on. Errors: kIo, kDiskFull.
base::Status discard_marked_state(const std::string& member_directory);

}  // namespace storage
