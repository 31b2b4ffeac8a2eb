// What clients do: the calls of a workload, and how their answers are written down. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <kj/async.h>

#include "base/random.h"
#include "client/client.h"
#include "jepsen/history/event.h"
#include "kv/types.h"

namespace jepsen {

/// One operation of a client.
struct Action {
  std::string f;
  Value value;         // at its invocation
  bool stale = false;  // reads what a member has
  /// Calls; the outcome is that of the call that decides.
  std::function<kj::Promise<client::Outcome>(client::Client& client)> call;
  /// Fills in what an answer said; may turn it into a fail that observed something. Only of an
  /// outcome that is ok.
  std::function<void(const client::Outcome& outcome, Event& end)> tell;
};

/// What a client is there for. Those that read while others write see what a deposed leader still
/// says; those that stick to one member see what only that one says.
enum class Role : std::uint8_t { kAll, kReads, kSticks };

/// What all calls of a run share. Invariant: no value is given out twice.
struct Values {
  std::int64_t last = 0;
  std::int64_t next() { return ++last; }
};

struct WorkloadOptions {
  std::uint32_t keys = 8;                // in use at a time
  std::uint32_t operations_a_key = 200;  // then another one follows
  std::uint64_t seed = 1;
};

class Workload {
 public:
  virtual ~Workload() = default;
  virtual Action next(base::Random& random, Role role) = 0;
  /// What is read once all is healed.
  virtual std::vector<Action> last_reads() = 0;
  /// What a change of the store was to this workload: key and value as in its operations; nothing:
  /// it is of another.
  virtual std::optional<std::pair<Value, std::int64_t>> change(const kv::Event& event) const = 0;
};

/// Null: there is none of that name.
std::unique_ptr<Workload> make_workload(const std::string& name, Values& values,
                                        const WorkloadOptions& options);
struct WorkloadText {
  const char* name;
  const char* what;
  /// What must have had something to check.
  std::vector<std::string> checkers;
};
const std::vector<WorkloadText>& workload_texts();

}  // namespace jepsen
