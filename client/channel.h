// One endpoint's connections and what is in flight on them. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <kj/async.h>

#include "client/options.h"
#include "net/connection.h"
#include "net/loop.h"
#include "schema/client.capnp.h"

namespace client {

/// Invariants:
/// - all connections stand or fall together: the first that breaks closes the channel, for good;
/// - at most Options::submits_in_flight submits a connection are in flight.
/// - it is destroyed outside its own callbacks: the owner keeps a closed one for another turn.
/// Shared, so that answers under way can hold it weakly.
class Channel {
 public:
  enum class State : std::uint8_t { kConnecting, kOpen, kClosed };

  /// Starts dialling. Calls `on_change` when it opens or closes, never from inside the constructor
  /// or close(). Errors: kInvalidArgument if `address` is not "host:port".
  static base::Result<std::shared_ptr<Channel>> open(net::Loop& loop, const std::string& address,
                                                     const Options& options,
                                                     std::function<void(Channel&)> on_change);
  Channel(net::Loop& loop, net::Address address, const Options& options,
          std::function<void(Channel&)> on_change);

  const std::string& address() const { return name_; }
  State state() const { return state_; }
  /// Why it closed.
  const std::string& reason() const { return reason_; }
  bool has_room() const { return state_ == State::kOpen && in_flight_ < room_; }
  std::uint32_t in_flight() const { return in_flight_; }

  /// A submit request on the connection whose turn it is; counted in flight until settled().
  /// Requires: has_room().
  capnp::Request<schema::Holdfast::SubmitParams, schema::Holdfast::SubmitResults> submit(
      std::uint64_t size_words, std::uint64_t now_ms);
  void settled() { --in_flight_; }
  /// Requires: state() is kOpen.
  schema::Holdfast::Client member();

  /// Something was heard from the other side.
  void heard(std::uint64_t now_ms) { heard_ms_ = now_ms; }
  /// How long something has been asked without hearing anything; 0 when nothing is asked.
  std::uint64_t silent_ms(std::uint64_t now_ms) const;
  /// A question beside the submits, whose answer also counts as a sign of life.
  bool asking() const { return asking_; }
  void asking(bool on, std::uint64_t now_ms);

  /// No more is sent or noticed; the sockets close with the destructor.
  void close(const std::string& why);

 private:
  void dial();
  void dialled(std::shared_ptr<net::Socket> socket);
  void broke(const std::string& why);

  net::Loop& loop_;
  const net::Address address_;
  const std::string name_;
  const Options& options_;
  const std::function<void(Channel&)> on_change_;
  State state_ = State::kConnecting;
  std::string reason_;
  std::vector<std::unique_ptr<net::RpcClient>> connections_;
  std::vector<schema::Holdfast::Client> members_;  // one a connection
  std::size_t turn_ = 0;
  std::uint32_t room_ = 0;
  std::uint32_t in_flight_ = 0;
  bool asking_ = false;
  std::uint64_t heard_ms_ = 0;
  std::vector<kj::Promise<void>> watches_;  // last: cancelled before what they watch goes
};

/// What a person should read of a failed call or dial at `address`: without KJ's names of
/// expressions, and without the address, which callers put before it.
std::string describe(const kj::Exception& exception, const std::string& address = "");

}  // namespace client
