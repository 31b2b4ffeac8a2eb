#include "jepsen/workloads/mixed.h"

namespace jepsen {

Mixed::Mixed(Values& values, const WorkloadOptions& options) {
  WorkloadOptions fewer = options;
  fewer.keys = options.keys / 2 + 1;
  for (const char* const name : {"watch", "txn", "append", "set", "counter"})
    parts_.push_back(make_workload(name, values, fewer));
}

Action Mixed::next(base::Random& random, Role role) {
  return parts_[random.below(parts_.size())]->next(random, role);
}

std::vector<Action> Mixed::last_reads() {
  std::vector<Action> reads;
  for (const auto& part : parts_)
    for (auto& read : part->last_reads()) reads.push_back(std::move(read));
  return reads;
}

std::optional<std::pair<Value, std::int64_t>> Mixed::change(const kv::Event& event) const {
  for (const auto& part : parts_)
    if (auto change = part->change(event)) return change;
  return std::nullopt;
}

}  // namespace jepsen
