// Single keys: read, write, compare-and-swap; with `come_and_go` also swapped for nothing. Loop
// thread.
#pragma once

#include <map>

#include "jepsen/workload.h"
#include "jepsen/workloads/keys.h"

namespace jepsen {

class Registers final : public Workload {
 public:
  Registers(Values& values, const WorkloadOptions& options, bool come_and_go)
      : values_(values), keys_("register", 0, options), come_and_go_(come_and_go) {}
  Action next(base::Random& random, Role role) override;
  std::vector<Action> last_reads() override;
  std::optional<std::pair<Value, std::int64_t>> change(const kv::Event& event) const override;

 private:
  Action read(std::int64_t key, bool stale);
  Action cas(std::int64_t key, std::int64_t expected, std::int64_t value);

  Values& values_;
  Keys keys_;
  const bool come_and_go_;
  std::map<std::int64_t, std::int64_t> seen_;  // what a key was last known to hold
};

}  // namespace jepsen
