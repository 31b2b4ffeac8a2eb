// Several workloads at once. Loop thread.
#pragma once

#include "jepsen/workload.h"

namespace jepsen {

class Mixed final : public Workload {
 public:
  Mixed(Values& values, const WorkloadOptions& options);
  Action next(base::Random& random, Role role) override;
  std::vector<Action> last_reads() override;
  std::optional<std::pair<Value, std::int64_t>> change(const kv::Event& event) const override;

 private:
  std::vector<std::unique_ptr<Workload>> parts_;
};

}  // namespace jepsen
