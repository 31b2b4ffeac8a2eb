// Concurrent clients, and the history that they leave. Simulator thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "kv/types.h"
#include "tests/sim/checks.h"
#include "tests/sim/history.h"
#include "tests/sim/node.h"

namespace sim {

using Nodes = std::vector<std::unique_ptr<Node>>;

/// What all clients share. Invariant: `writes[i]` names the write that operation i of the history
/// is, as the log knows it.
struct Workload {
  EventQueue& queue;
  Journal& journal;
  Checks& checks;
  const Options& options;
  Nodes& nodes;
  base::Random random;
  History history{};
  std::vector<std::pair<base::SessionId, std::uint64_t>> writes{};
  std::uint64_t next_value = 1;
  base::Revision compacted{};  // the highest that anybody asked to compact at
  bool stopping = false;

  /// Keys change now and then, so that histories of one key stay short.
  std::string key(std::uint64_t number) const;
  std::string key_prefix() const;
  std::string new_value();
};

/// One client with at most one operation at a time: each is tried until its outcome is known, or
/// given up, which leaves it open, and its session behind. Invariant: all tries of one write have
/// the same session and sequence number.
class Client {
 public:
  Client(Workload& workload, std::uint64_t id);

  void begin();
  /// Reads these keys, which are sorted, and all between them, by itself, whether the workload
  /// stops or not; `done` once it is answered.
  void read_everything(const std::vector<std::string>& keys, std::function<void()> done);

 private:
  using Attempt = std::uint64_t;

  void next();
  void open_session();
  void choose();
  void choose_write(Operation& operation, std::uint64_t die);
  void attempt();
  void send(Attempt attempt);
  void deliver(std::size_t target, const Node::Answer& answer);
  void on_answer(Attempt attempt, const server::RequestOutcome& outcome);
  void on_timeout(Attempt attempt);
  void try_again(Time delay);
  void give_up();
  void complete(const server::RequestOutcome& outcome);
  void resolved(const kv::Reply& reply);
  bool is_compacted(base::Code code);
  void complete_write(Operation& operation, const kv::TransactionResult& result);
  void note_seen(Operation& operation, const kv::TransactionResult& result);
  kv::Transaction transaction_of(const Operation& operation) const;
  Operation& operation() { return workload_.history[current_]; }

  Workload& workload_;
  const std::uint64_t id_;
  base::Random random_;
  std::size_t target_ = 0;
  server::Seen seen_;  // the newest of all answers
  base::SessionId session_;
  std::uint64_t sequence_ = 0;
  bool opening_ = false;           // the attempt opens a session
  std::size_t current_ = 0;        // in the history
  kv::Transaction transaction_;    // of the current operation
  std::vector<std::string> keys_;  // that a range covers
  Attempt first_attempt_ = 0;      // of the current operation; answers of earlier ones are void
  Attempt attempt_ = 0;
  bool busy_ = false;
  bool resolving_ = false;                                   // asks what became of the operation
  std::deque<base::Revision> seen_revisions_;                // the newest last
  std::map<std::string, std::optional<std::string>> known_;  // what was last seen of a key
  std::function<void()> done_;
};

}  // namespace sim
