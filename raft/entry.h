// Log entries, configurations and the chain hash (DESIGN sections 5.1 and 5.2). Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"

namespace raft {

using base::ChainHash;
using base::HybridTime;
using base::Incarnation;
using base::Index;
using base::MemberId;
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

struct Voter {
  MemberId id;
  Incarnation incarnation;  // zero until the first entry of the cluster binds it
  bool operator==(const Voter&) const = default;
};

/// Who counts. In the first configuration no incarnation is bound and every voter must vote.
/// Invariant: ids are distinct and sorted.
struct Configuration {
  std::vector<Voter> voters;

  const Voter* find(MemberId id) const;
  /// True until the first entry of the cluster has bound every voter's incarnation.
  bool unbound() const;
  std::size_t quorum() const { return voters.size() / 2 + 1; }
  bool operator==(const Configuration&) const = default;
};

/// Fixed little-endian layout: u8 version = 1, u32 count, then (id, incarnation) pairs.
std::string encode(const Configuration& configuration);
/// std::nullopt when the bytes are not what encode() makes.
std::optional<Configuration> decode_configuration(std::string_view bytes);

/// What must be durable before a vote or an answer in that term (Raft paper, figure 2).
struct HardState {
  Term term;
  MemberId vote;  // zero: no vote in this term
  /// Which opening of the candidate the vote was given to; a vote is repeated only to the same one.
  Opening vote_opening;
  bool operator==(const HardState&) const = default;
};

}  // namespace raft
