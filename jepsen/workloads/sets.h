// A set that grows: each element a key of its own, read whole. Loop thread.
#pragma once

#include "jepsen/workload.h"
#include "jepsen/workloads/keys.h"

namespace jepsen {

class GrowingSet final : public Workload {
 public:
  GrowingSet(Values& values, const WorkloadOptions& options)
      : values_(values), keys_("set", 0, options) {}
  Action next(base::Random& random, Role role) override;
  std::vector<Action> last_reads() override;
  std::optional<std::pair<Value, std::int64_t>> change(const kv::Event& event) const override;

 private:
  Action read(bool stale) const;

  Values& values_;
  Keys keys_;  // only its names
  std::uint64_t until_read_ = 0;
};

}  // namespace jepsen
