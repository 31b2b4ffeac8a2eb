// The clients of a run: they call, and write down what they ask and are told. Loop thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <kj/async.h>

#include "jepsen/cluster.h"
#include "jepsen/recorder.h"
#include "jepsen/workload.h"

namespace jepsen {

struct LoadOptions {
  std::uint32_t clients = 12;
  std::uint32_t rate = 300;  // operations a second of all together, at most
  std::uint64_t seed = 1;
  bool retries = true;  // false: an operation is one attempt
};

struct LoadCounters {
  std::uint64_t ok = 0, failed = 0, unknown = 0;
};

/// Each client has a session of its own and one call under way at a time. Of four, two follow the
/// leader, one does the same and only reads, and one sticks to one member: half of its calls read
/// what that has, and the others are made once, for what only a leader does. Invariants:
/// - an invocation is written down before its call is sent, an end after it was understood;
/// - `fail` is written only where the library says surely not applied; a process whose call has an
///   unknown end is never heard of again, and its client goes on under another number.
class Load final : private kj::TaskSet::ErrorHandler {
 public:
  Load(Cluster& cluster, Recorder& recorder, Workload& workload, LoadOptions options);
  ~Load();

  void begin();
  /// No more calls are begun.
  void stop() { stopping_ = true; }
  /// Done when the last call under way has ended. Requires: stopped.
  kj::Promise<void> on_idle();
  /// The store is asked what became of each write whose end is unknown. Requires: idle. Returns
  /// how many it could not tell of.
  std::size_t resolve_unknown();
  /// Each read by a client that follows the leader, until it is answered or timeout_ms are over.
  /// Returns false if some were not.
  bool last_reads(std::uint64_t timeout_ms);

  const LoadCounters& counters() const { return counters_; }
  /// Names of members by their ids, as far as they have answered the harness.
  void learn_names(const Cluster::Statuses& statuses);

 private:
  struct Worker {
    std::unique_ptr<client::Client> client;
    std::int64_t process = 0;
    base::Random random{0};
    Role role = Role::kAll;
    std::uint64_t due_ns = 0;
  };
  struct Unknown {
    std::uint64_t place = 0;
    base::SessionId session;
    std::uint64_t sequence = 0;
  };

  kj::Promise<void> go_on(Worker& worker);
  kj::Promise<bool> perform(Worker& worker, Action action);
  bool ended(Worker& worker, const Action& action, std::uint64_t place,
             const client::Outcome& outcome);
  client::Options options_of(std::size_t number, Role role) const;
  void taskFailed(kj::Exception&& exception) override;

  Cluster& cluster_;
  Recorder& recorder_;
  Workload& workload_;
  const LoadOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Unknown> unknown_;
  std::map<std::uint64_t, std::string> names_;
  LoadCounters counters_;
  bool stopping_ = false;
  kj::TaskSet tasks_;
};

}  // namespace jepsen
