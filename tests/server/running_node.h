// A whole member in this process, on threads of the test, and a small client of its door.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/connection.h"
#include "net/loop.h"
#include "schema/client.capnp.h"
#include "server/config.h"
#include "server/log_sink.h"
#include "server/node.h"

namespace server::testing {

/// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A port of 127.0.0.1 that nobody listened on a moment ago.
std::uint16_t free_port();
/// The configuration of a member of a cluster on loopback. `peer_ports`: one a member, n1 first.
Config loopback_config(std::size_t self, const std::vector<std::uint16_t>& peer_ports,
                       const std::string& data_dir);

/// Started when it is made; stopped in an orderly way when it goes.
class RunningNode {
 public:
  explicit RunningNode(Config config);
  ~RunningNode() { stop(); }
  void stop();
  bool drain() { return node_->drain(2000); }

  const Config& config() const { return config_; }
  std::uint16_t client_port() const { return node_->client_port(); }
  std::uint16_t http_port() const { return node_->http_port(); }

 private:
  Config config_;
  FaultPlane faults_;
  LogSink lines_;
  std::unique_ptr<Node> node_;
  std::vector<std::thread> threads_;
};

/// One call's outcome, taken out of its message.
struct Answer {
  base::Code code = base::Code::kOk;
  std::string detail;
  std::uint64_t session = 0;
  std::uint64_t leader = 0;
  std::uint64_t revision = 0;
  std::uint64_t applied = 0;
  bool repeated = false;
  std::vector<std::string> values;  // of the first result, if it is a range
};

/// A client connection on the loop of the test. Every wait is bounded.
class Caller {
 public:
  Caller(net::Loop& loop, std::uint16_t port);

  using Fill = std::function<void(schema::Call::Builder)>;
  std::vector<Answer> submit(const std::vector<Fill>& calls, std::uint32_t deadline_ms = 5000);
  Answer open_session();
  Answer put(std::uint64_t session, std::uint64_t sequence, const std::string& key,
             const std::string& value, std::uint32_t deadline_ms = 5000);
  Answer get(const std::string& key, bool serializable = false, std::uint32_t deadline_ms = 5000);
  using Condition = std::function<bool(schema::MemberStatus::Reader)>;
  bool status_is(const Condition& condition);
  /// Asks until the condition holds, at most 15 s.
  bool wait_for_status(const Condition& condition);
  base::Code fault(const std::string& name, bool on, std::uint64_t for_ms = 0,
                   const std::vector<FaultParameter>& parameters = {});
  /// A call that nobody waits for. It ends with its connection.
  struct Sent {
    bool answered = false, broken = false;
    Answer answer;
    kj::Promise<void> task = nullptr;
  };
  std::shared_ptr<Sent> send(const Fill& call);

  static Fill put_call(std::uint64_t session, std::uint64_t sequence, const std::string& key,
                       const std::string& value);
  static Fill get_call(const std::string& key, bool serializable);

 private:
  net::Loop& loop_;
  std::unique_ptr<net::RpcClient> client_;
};

/// The whole answer of an HTTP server on 127.0.0.1 to these bytes, until it closes or 5 s pass.
std::string http(std::uint16_t port, const std::string& request);
std::string http_get(std::uint16_t port, const std::string& path);

}  // namespace server::testing
