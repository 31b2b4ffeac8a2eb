// What an operator asks of the membership, and the configuration that it comes to. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "raft/configuration.h"

namespace server {

/// Numbers cross the wire: only append.
enum class MemberChangeKind : std::uint8_t {
  kList = 0,
  kAdd = 1,      // as a learner, which becomes a voter by itself unless `learner`
  kPromote = 2,  // a learner becomes a voter once it has caught up
  kRemove = 3,
  kReplace = 4,  // another data directory takes the member's place: out as voter, in as learner
  kUpdate = 5,   // other addresses
};
inline constexpr auto kLastMemberChangeKind = MemberChangeKind::kUpdate;

struct MemberChange {
  MemberChangeKind kind = MemberChangeKind::kList;
  std::string name;            // or, but for kAdd, the id as 16 hex digits
  base::MemberId id;           // kAdd
  std::string peer_address;    // HOST:PORT; empty: as it is
  std::string client_address;  // likewise
  bool learner = false;
};

/// By name, or by the id in hex digits; null if there is none.
const raft::Member* find_member(const raft::Configuration& configuration, const std::string& name);

/// The configuration that `change` asks for; `now` itself if nothing is left to do, since requests
/// are repeated. Requires: `now` is not joint. Errors: kInvalidArgument, saying what is wrong with
/// which member.
base::Result<raft::Configuration> apply_change(const raft::Configuration& now,
                                               const MemberChange& change);

}  // namespace server
