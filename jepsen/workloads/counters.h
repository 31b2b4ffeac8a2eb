// Keys that are only written: how often is what their version counts, and which values is what
// their history tells. What is applied twice, or never, shows. Loop thread.
#pragma once

#include "jepsen/workload.h"
#include "jepsen/workloads/keys.h"

namespace jepsen {

class Counters final : public Workload {
 public:
  Counters(Values& values, const WorkloadOptions& options)
      : values_(values), keys_("counter", 300'000, options) {}
  Action next(base::Random& random, Role role) override;
  std::vector<Action> last_reads() override;
  std::optional<std::pair<Value, std::int64_t>> change(const kv::Event& event) const override;

 private:
  Action versions(std::int64_t key) const;

  Values& values_;
  Keys keys_;
};

}  // namespace jepsen
