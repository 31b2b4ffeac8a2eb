// From an entry of the log to what the state machine sees of it. Any thread.
#pragma once

#include "base/status.h"
#include "kv/state_machine.h"
#include "raft/entry.h"

namespace server {

/// Errors: kCorrupt when a command does not decode, kNewerFormat when the entry is of a kind that
/// this version does not know: the node must stop, since skipping it would fork the state.
base::Result<kv::AppliedEntry> to_applied(const raft::Entry& entry);

}  // namespace server
