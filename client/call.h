// One call on its way through its attempts, and what its end means. Pure but for the fulfiller.
#pragma once

#include <cstdint>
#include <memory>

#include <kj/async.h>

#include "client/outcome.h"

namespace client {

/// Invariants:
/// - a write keeps its session and sequence once any of its attempts may have been applied;
/// - at most one attempt is awaited: answers to older ones count only if they say "applied".
struct Call {
  enum class Kind : std::uint8_t {
    kOpenSession,
    kCloseSession,
    kWrite,
    kResolve,
    kRead,
    kMembers,
    kMoveLeader
  };

  Kind kind = Kind::kRead;
  Consistency consistency = Consistency::kLinearizable;  // kRead
  std::uint32_t max_staleness_ms = 0;                    // kRead, kSerializable; 0: no bound
  kv::Transaction transaction;
  MemberChange change;  // kMembers
  std::string to;       // kMoveLeader
  std::size_t size_bytes = 0;
  std::uint64_t id = 0;
  std::uint64_t trace = 0;  // for people, the same for all attempts
  std::uint64_t started_ms = 0;
  std::uint64_t deadline_ms = 0;
  kj::Own<kj::PromiseFulfiller<Outcome>> fulfiller;

  base::SessionId session;     // set with the first send of a write; the one to close or resolve
  std::uint64_t sequence = 0;  // likewise
  std::uint64_t attempt = 0;   // the one awaited; 0: none
  std::uint64_t retry_at_ms = 0;
  std::uint32_t refusals = 0;
  std::uint32_t others = 0;  // refusals with kOtherHistory
  bool alone = false;  // travels in a submit of its own, after one with others failed as a whole
  bool done = false;
  base::Status unknown;  // of the last attempt that may have been applied
  base::Status refusal;  // of the last attempt that surely was not

  /// Whether any member takes it.
  bool anywhere() const { return kind == Kind::kRead && consistency == Consistency::kSerializable; }
  /// Whether repeating it could change what it did.
  bool has_effect() const { return kind != Kind::kRead; }
};
using CallPtr = std::shared_ptr<Call>;

/// The status that the caller gets when the last thing learnt about the call is `last`: never
/// "surely not applied" when an earlier attempt may have been applied, never "unknown" for a read.
base::Status conclusion(const Call& call, const base::Status& last);
/// The status at the deadline.
base::Status at_deadline(const Call& call, std::uint32_t timeout_ms);
/// What it weighs in a submit: keys and values, with something for each operation.
std::size_t weight(const kv::Transaction& transaction);

}  // namespace client
