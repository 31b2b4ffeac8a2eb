// Log entries and the chain hash (DESIGN sections 5.1 and 5.2). Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "raft/configuration.h"

namespace raft {

using base::ChainHash;
using base::HybridTime;
using base::Opening;
using base::Ordinal;
using base::Term;

/// Stored and sent: only append.
enum class EntryKind : std::uint8_t {
  kEmpty = 0,          // the first entry of a leader's term
  kCommand = 1,        // bytes of the state machine
  kConfiguration = 2,  // an encoded Configuration
};

/// One entry of the log. Immutable once made; shared between core, log, peers and apply.
struct Entry {
  Term term;
  Index index;
  EntryKind kind = EntryKind::kEmpty;
  HybridTime time;  // stamped by the leader that made it; grows along the log
  ChainHash hash;   // chain_hash(previous entry's hash, this entry)
  std::string payload;

  std::size_t size_bytes() const { return payload.size() + 48; }
};
using EntryPtr = std::shared_ptr<const Entry>;

/// The hash over `previous` and everything in `entry` but its hash.
ChainHash chain_hash(ChainHash previous, const Entry& entry);

/// What the log knows of an entry whose payload is not in memory.
struct EntryMeta {
  Term term;
  ChainHash hash;
  std::uint32_t size_bytes = 0;
};

/// What must be durable before a vote or an answer in that term (Raft paper, figure 2).
struct HardState {
  Term term;
  MemberId vote;  // zero: no vote in this term
  /// Which opening of the candidate the vote was given to; a vote is repeated only to the same one.
  Opening vote_opening;
  bool operator==(const HardState&) const = default;
};

}  // namespace raft
