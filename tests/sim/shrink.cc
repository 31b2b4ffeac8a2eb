#include "tests/sim/shrink.h"

#include <algorithm>

namespace sim {
namespace {

std::set<std::uint64_t> numbers_of(const std::vector<PlannedFault>& faults, std::size_t without,
                                   std::size_t count) {
  std::set<std::uint64_t> numbers;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (i < without || i >= without + count) numbers.insert(faults[i].number);
  }
  return numbers;
}

}  // namespace

Shrunk shrink(const std::vector<PlannedFault>& planned, const Fails& fails, std::uint64_t limit) {
  Shrunk shrunk{planned, 0, false};
  std::size_t part = std::max<std::size_t>(1, planned.size() / 2);
  while (!shrunk.faults.empty()) {
    bool smaller = false;
    for (std::size_t from = 0; from < shrunk.faults.size();) {
      if (shrunk.runs == limit) return shrunk;
      ++shrunk.runs;
      const std::size_t count = std::min(part, shrunk.faults.size() - from);
      if (fails(numbers_of(shrunk.faults, from, count))) {
        const auto begin = shrunk.faults.begin() + static_cast<std::ptrdiff_t>(from);
        shrunk.faults.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        smaller = true;
      } else {
        from += count;
      }
    }
    if (part == 1 && !smaller) break;
    part = std::max<std::size_t>(1, part / 2);
  }
  shrunk.minimal = true;
  return shrunk;
}

}  // namespace sim
