// Transactions that read and write several keys at once. Loop thread.
#pragma once

#include "jepsen/workload.h"
#include "jepsen/workloads/keys.h"

namespace jepsen {

class Transactions final : public Workload {
 public:
  Transactions(Values& values, const WorkloadOptions& options)
      : values_(values), keys_("txn", 100'000, options) {}
  Action next(base::Random& random, Role role) override;
  std::vector<Action> last_reads() override;
  std::optional<std::pair<Value, std::int64_t>> change(const kv::Event& event) const override;

 private:
  struct Part {
    bool writes = false;
    std::int64_t key = 0, value = 0;
  };
  Action action_of(std::vector<Part> parts, bool stale) const;

  Values& values_;
  Keys keys_;
};

}  // namespace jepsen
