#include "server/applied_entry.h"

#include <string>
#include <utility>

#include "storage/codec.h"

namespace server {

using base::Code;
using base::Result;
using base::Status;

Result<kv::AppliedEntry> to_applied(const raft::Entry& entry) {
  kv::AppliedEntry applied;
  applied.index = entry.index;
  applied.term = entry.term;
  applied.time = entry.time;
  applied.hash = entry.hash;
  switch (entry.kind) {
    case raft::EntryKind::kEmpty:
      return applied;
    case raft::EntryKind::kConfiguration:
      applied.configuration = entry.payload;
      return applied;
    case raft::EntryKind::kCommand: {
      auto command = storage::decode_command(entry.payload);
      if (!command) {
        return Status(Code::kCorrupt, "committed entry " + std::to_string(entry.index.value) +
                                          " is no command: " + command.status().detail());
      }
      applied.command = std::move(command).value();
      return applied;
    }
  }
  return Status(Code::kNewerFormat, "committed entry " + std::to_string(entry.index.value) +
                                        " is of a kind that this version does not know");
}

}  // namespace server
