// Members that speak client.capnp on real sockets of the test's own loop and misbehave as they are
// told to. They share one state with exactly-once sessions, as a replicated state machine would.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "client/client.h"
#include "net/connection.h"
#include "schema/client.capnp.h"

namespace client {

/// What all members agree on.
struct FakeState {
  std::map<std::string, std::string> values;
  std::set<std::uint64_t> sessions;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> applied;  // write to revision
  std::uint64_t revision = 0;
  std::uint64_t last_session = 100;
  std::uint64_t repeated = 0;  // writes that came again after they were applied
};

/// A write as it arrived at a member.
struct Arrival {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t acknowledged_below = 0;
  std::string key;
  std::uint64_t trace = 0;
};

class FakeMember {
 public:
  enum class Submit : std::uint8_t {
    kServe,         // by the role: do it, or kNotLeader
    kRefuse,        // with `code`, doing nothing
    kApplyAndFail,  // do it, then answer `code` all the same
    kApplyAndDrop,  // do it, then close every connection without an answer
    kHold,          // never answer
    kThrowIfMany,   // as if the replies together were too large for one message
  };

  FakeMember(net::Loop& loop, FakeState& state, std::uint64_t id);
  ~FakeMember();

  std::string address() const;
  /// Stops listening and closes every connection, like a killed process; start() takes the same
  /// port.
  void stop();
  void start();

  // ---- What it is and does; a test sets it at any time ----
  bool leads = false;
  std::uint64_t term = 1;
  bool frozen = false;  // answers nothing at all, like a stopped process; the kernel still accepts
  Submit submit = Submit::kServe;
  base::Code code = base::Code::kUnavailable;
  std::uint32_t times = 0;  // how many submits `submit` holds for; 0: all
  std::string leader_hint;
  std::vector<std::string> peers;  // client addresses in its status

  /// The parts of its snapshot file, and what happens instead of the one at `snapshot_trouble_at`.
  enum class Trouble : std::uint8_t { kNone, kDrop, kHold, kAlter, kRefuse };
  std::vector<std::string> snapshot;
  Trouble snapshot_trouble = Trouble::kNone;
  std::size_t snapshot_trouble_at = 0;

  // ---- What it has seen ----
  std::vector<Arrival> writes;
  std::vector<std::size_t> batches;  // calls a submit
  Header seen;                       // as the last submit said
  std::uint32_t reads = 0;
  std::uint32_t connections = 0;

 private:
  class Server;
  class Snapshot;
  void drop_connections();

  net::Loop& loop_;
  FakeState& state_;
  const std::uint64_t id_;
  std::uint16_t port_ = 0;
  std::unique_ptr<net::Listener> listener_;
  std::vector<kj::Promise<void>> served_;
};

}  // namespace client
