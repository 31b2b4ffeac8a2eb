#include "raft/read_index.h"

#include <utility>

#include "base/check.h"

namespace raft {

void ReadIndex::open(RoundToken token, Index index) {
  CHECK(should_open(), "one round at a time, and only for someone");
  round_ = Round{token, index, std::exchange(waiting_, {}), {}};
}

ReadIndex::Round ReadIndex::close() {
  CHECK(round_.has_value(), "no round to close");
  Round round = std::move(*round_);
  round_.reset();
  return round;
}

std::vector<std::uint64_t> ReadIndex::abandon() {
  std::vector<std::uint64_t> ids;
  if (round_) ids = close().ids;
  ids.insert(ids.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  return ids;
}

}  // namespace raft
