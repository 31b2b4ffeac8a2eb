// Who counts: voters, learners, and the joint configurations between two sets of voters (Raft paper
// section 6; thesis chapter 4; DESIGN sections 5.2 and 7). Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace raft {

using base::Incarnation;
using base::Index;
using base::MemberId;

/// One member as the log knows it. Names and addresses pass through: nothing here reads them.
struct Member {
  MemberId id;
  Incarnation incarnation = {};  // zero: not bound yet; then the member counts for nothing
  std::string name = {};
  std::string peer_address = {};
  std::string client_address = {};
  bool promote = false;       // a learner that becomes a voter by itself once it has caught up
  Incarnation replaced = {};  // the directory whose place it takes: it is not to be bound again
  bool operator==(const Member&) const = default;
};

/// Invariants (held by decode_configuration() and check_next()):
/// - ids within each list are distinct and sorted; a voter is no learner;
/// - only the first configuration of a cluster has voters whose incarnation is not bound, and then
///   every voter must vote.
struct Configuration {
  std::vector<Member> voters;
  /// The voters before, while a change is under way: then a majority of both sets decides.
  std::vector<Member> outgoing = {};
  std::vector<Member> learners = {};  // get the log, and count for nothing

  /// A member of any kind, voters first; null if there is none.
  const Member* find(MemberId id) const;
  const Member* find_voter(MemberId id) const;  // in either set
  bool joint() const { return !outgoing.empty(); }
  /// True until the first entry of the cluster has bound every voter's incarnation.
  bool unbound() const;
  /// Whether the members that `counts` decide: a majority of each set of voters.
  bool decides(const std::function<bool(const Member&)>& counts) const;
  /// The highest index that `match` gives for a majority of each set of voters.
  Index decided(const std::function<Index(const Member&)>& match) const;
  /// Every id, each once, sorted.
  std::vector<MemberId> ids() const;
  /// Of the voters alone; for words.
  std::size_t quorum() const { return voters.size() / 2 + 1; }
  bool operator==(const Configuration&) const = default;
};

/// What stands in the log on the way from `from` to `to`: both sets of voters if they differ in ids
/// or incarnations, else `to` itself.
Configuration step_towards(const Configuration& from, const Configuration& to);
/// Why `next` cannot follow; empty if it can: no voters, ids twice or unsorted, a voter that is not
/// bound, a joint one.
std::string check_next(const Configuration& next);

/// Little-endian: u8 version = 2, then the three lists; version 1 (voters without names) is read
/// too. At most 128 members a list and 1,024 bytes a text.
std::string encode(const Configuration& configuration);
/// std::nullopt when the bytes are not what encode() makes.
std::optional<Configuration> decode_configuration(std::string_view bytes);

}  // namespace raft
