#include "jepsen/check/registers.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"

namespace jepsen {
namespace {

using Kind = Micro::Kind;

/// A call on the register: it found `found`, or does not say; it left `left`, or what was there.
/// There may be millions: it is made of its operation when it is looked at.
struct Access {
  std::optional<std::int64_t> found, left;
  std::uint32_t operation = 0;
  std::int64_t invoked = 0, returned = 0;
};

constexpr std::int64_t kEver = INT64_MAX;
constexpr std::uint32_t kNone = UINT32_MAX;

/// A value and what dealt with it. Small: one for each write.
struct Cluster {
  std::int64_t value = 0;
  std::uint32_t writer = kNone;          // operation
  std::uint32_t first = 0, readers = 0;  // of Register::readers_
  std::uint32_t next = kNone;            // the cluster that a swap made of it
  std::uint32_t previous = kNone;        // the one that a swap made it of
};

/// Values that must follow each other at once, from the first; when they must have been there.
struct Block {
  std::uint32_t cluster = 0;
  std::int64_t first_end = kEver;  // the earliest end of a call
  std::int64_t last_begin = -1;    // the latest begin
  std::uint32_t ended = 0, begun = 0;
};

class Register {
 public:
  Register(const History& history, std::int64_t initial) : history_(history) {
    clusters_.push_back({.value = initial});
    number_[initial] = 0;
  }

  /// Returns false if this check does not apply.
  bool add(std::uint32_t number);
  std::optional<Finding> contradiction();

 private:
  std::optional<Access> access(std::uint32_t number, bool& applies) const;
  /// Of an operation that add() has taken.
  Access access(std::uint32_t number) const {
    bool applies = true;
    return *access(number, applies);
  }
  std::optional<Finding> attach();
  std::optional<Finding> attach_readers();
  void drop_what_nobody_saw();
  std::optional<Finding> walk(std::uint32_t first);
  std::optional<Finding> compare_blocks();
  Finding wrong(std::string why, std::vector<std::uint32_t> witness,
                std::vector<std::string> words = {}) const;
  std::string name(std::uint32_t operation) const {
    return describe(history_, history_.operations[operation]);
  }
  std::string value_name(std::int64_t value) const {
    return value == kAbsent ? std::string("nothing") : std::to_string(value);
  }

  const History& history_;
  /// Cluster and operation; by cluster once they are attached.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> readers_;
  std::vector<Cluster> clusters_;  // 0: of the value at first
  std::unordered_map<std::int64_t, std::uint32_t> number_;
  std::vector<Block> blocks_;
};

std::optional<Access> Register::access(std::uint32_t number, bool& applies) const {
  const Operation& operation = history_.operations[number];
  Access access;
  access.operation = number;
  access.invoked = operation.invoked;
  access.returned = operation.returned == kOpen ? kEver : operation.returned;
  const bool open = operation.end != End::kOk;
  const auto micros = history_.micros_of(operation);
  if (micros.size() != 1) {
    applies = false;
    return std::nullopt;
  }
  const Micro& micro = micros.front();
  if (micro.kind == Kind::kWrite || micro.kind == Kind::kCas) access.left = micro.value;
  if (micro.kind == Kind::kCas) access.found = micro.expected;
  if (micro.kind == Kind::kRead || micro.kind == Kind::kMiss) {
    if (open) return std::nullopt;
    access.found = micro.value;
  }
  const bool impossible = micro.kind == Kind::kMiss && micro.expected == micro.value;
  if (impossible || (!access.left && !access.found && micro.kind != Kind::kUnread)) applies = false;
  if (!access.left && !access.found) return std::nullopt;
  return access;
}

bool Register::add(std::uint32_t number) {
  bool applies = true;
  auto one = access(number, applies);
  if (!applies) return false;
  if (!one) return true;
  if (one->left) {
    const auto [place, added] =
        number_.emplace(*one->left, static_cast<std::uint32_t>(clusters_.size()));
    if (!added) return false;
    clusters_.push_back({.value = *one->left, .writer = number});
  } else {
    readers_.emplace_back(kNone, number);
  }
  return true;
}

Finding Register::wrong(std::string why, std::vector<std::uint32_t> witness,
                        std::vector<std::string> words) const {
  Finding finding;
  finding.checker = "register";
  finding.verdict = Verdict::kInvalid;
  finding.why = std::move(why);
  std::sort(witness.begin(), witness.end());
  witness.erase(std::unique(witness.begin(), witness.end()), witness.end());
  finding.witness = std::move(witness);
  finding.words = std::move(words);
  if (finding.words.empty())
    for (const std::uint32_t one : finding.witness) finding.words.push_back(name(one));
  return finding;
}

/// Readers go to the value that they found.
std::optional<Finding> Register::attach_readers() {
  for (auto& [cluster, operation] : readers_) {
    const auto found = number_.find(*access(operation).found);
    if (found == number_.end())
      return wrong("a value was read that nobody wrote: " + name(operation), {operation});
    cluster = found->second;
    ++clusters_[cluster].readers;
  }
  std::sort(readers_.begin(), readers_.end());
  std::uint32_t first = 0;
  for (Cluster& cluster : clusters_) {
    cluster.first = first;
    first += cluster.readers;
  }
  return std::nullopt;
}

std::optional<Finding> Register::attach() {
  if (auto finding = attach_readers()) return finding;
  drop_what_nobody_saw();
  for (std::uint32_t i = 0; i < clusters_.size(); ++i) {
    if (clusters_[i].writer == kNone) continue;
    const Access swap = access(clusters_[i].writer);
    if (!swap.found) continue;
    const auto found = number_.find(*swap.found);
    if (found == number_.end())
      return wrong("a swap found a value that nobody wrote: " + name(swap.operation),
                   {swap.operation});
    Cluster& from = clusters_[found->second];
    if (from.next != kNone) {
      const std::uint32_t other = clusters_[from.next].writer;
      return wrong("the value " + value_name(*swap.found) +
                       " was swapped for another one twice, though it was written once",
                   {other, swap.operation}, {name(other), name(swap.operation)});
    }
    from.next = i;
    clusters_[i].previous = found->second;
  }
  return std::nullopt;
}

/// A write without an end whose value nobody saw may be taken as one that never happened.
void Register::drop_what_nobody_saw() {
  std::vector<std::uint32_t> swaps_of(clusters_.size(), 0);
  const auto from = [&](const Cluster& cluster) {
    if (cluster.writer == kNone) return kNone;
    const Access writer = access(cluster.writer);
    const auto found = writer.found ? number_.find(*writer.found) : number_.end();
    return found == number_.end() ? kNone : found->second;
  };
  for (const Cluster& cluster : clusters_)
    if (const std::uint32_t before = from(cluster); before != kNone) ++swaps_of[before];
  std::vector<std::uint32_t> unseen;
  const auto look = [&](std::uint32_t i) {
    const Cluster& cluster = clusters_[i];
    if (cluster.writer != kNone && cluster.readers == 0 && swaps_of[i] == 0 &&
        access(cluster.writer).returned == kEver)
      unseen.push_back(i);
  };
  for (std::uint32_t i = 1; i < clusters_.size(); ++i) look(i);
  while (!unseen.empty()) {
    const std::uint32_t i = unseen.back();
    unseen.pop_back();
    const std::uint32_t before = from(clusters_[i]);
    clusters_[i].writer = kNone;
    if (before == kNone) continue;
    --swaps_of[before];
    look(before);
  }
}

/// Along a chain of swaps each call must be able to come after those of the values before.
std::optional<Finding> Register::walk(std::uint32_t first) {
  Block block;
  block.cluster = first;
  const auto cover = [&](const Access& one) {
    if (one.returned < block.first_end) block.first_end = one.returned, block.ended = one.operation;
    if (one.invoked > block.last_begin) block.last_begin = one.invoked, block.begun = one.operation;
  };
  if (first == 0) block.first_end = -1;
  std::optional<Access> latest;  // of all that came before in the chain, the one that began last
  const auto follows = [&](const Access& one) -> std::optional<Finding> {
    if (!latest || one.returned >= latest->invoked) return std::nullopt;
    return wrong(name(one.operation) + " — but that had ended before " + name(latest->operation) +
                     " began, of which it must come after",
                 {one.operation, latest->operation},
                 {name(one.operation), name(latest->operation)});
  };
  for (std::uint32_t at = first; at != kNone; at = clusters_[at].next) {
    const Cluster& cluster = clusters_[at];
    if (cluster.writer != kNone) {
      const Access writer = access(cluster.writer);
      if (auto finding = follows(writer)) return finding;
      cover(writer);
      if (!latest || writer.invoked > latest->invoked) latest = writer;
    }
    std::optional<Access> latest_here = latest;
    for (std::uint32_t i = 0; i < cluster.readers; ++i) {
      const Access reader = access(readers_[cluster.first + i].second);
      if (auto finding = follows(reader)) return finding;
      cover(reader);
      if (!latest_here || reader.invoked > latest_here->invoked) latest_here = reader;
    }
    latest = latest_here;
  }
  blocks_.push_back(block);
  return std::nullopt;
}

/// Of two blocks one must come first. A must, if a call of A ended before one of B began; if the
/// same holds the other way round, there is no order. More than two never contradict each other
/// without two that do.
std::optional<Finding> Register::compare_blocks() {
  std::sort(blocks_.begin(), blocks_.end(),
            [](const Block& a, const Block& b) { return a.first_end < b.first_end; });
  // Of the blocks up to each, the two that began something last.
  std::vector<std::pair<std::size_t, std::size_t>> latest(blocks_.size());
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    auto best = i == 0 ? std::pair{i, i} : latest[i - 1];
    if (blocks_[i].last_begin > blocks_[best.first].last_begin)
      best = {i, best.first};
    else if (best.second == best.first || blocks_[i].last_begin > blocks_[best.second].last_begin)
      best.second = i;
    latest[i] = best;
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& b = blocks_[i];
    const auto end = std::partition_point(
        blocks_.begin(), blocks_.end(), [&](const Block& a) { return a.first_end < b.last_begin; });
    if (end == blocks_.begin()) continue;
    const auto [first, second] = latest[static_cast<std::size_t>(end - blocks_.begin()) - 1];
    const Block& a = blocks_[first == i ? second : first];
    if (&a == &b || b.first_end >= a.last_begin) continue;
    const std::string of_a = value_name(clusters_[a.cluster].value);
    const std::string of_b = value_name(clusters_[b.cluster].value);
    std::vector<std::uint32_t> witness = {b.ended, a.begun, b.begun};
    std::vector<std::string> words = {
        name(b.ended) + " — ended before",
        name(a.begun) + " — began, so that " + of_b + " was there before " + of_a};
    if (a.first_end < 0) {
      words.push_back("but " + of_a + " is what was there at first");
      witness.pop_back();
    } else {
      witness.push_back(a.ended);
      words.push_back(name(a.ended) + " — ended before");
      words.push_back(name(b.begun) + " — began, so that " + of_a + " was there before " + of_b);
    }
    return wrong("neither of the values " + of_a + " and " + of_b + " can have been there first",
                 std::move(witness), std::move(words));
  }
  return std::nullopt;
}

std::optional<Finding> Register::contradiction() {
  if (auto finding = attach()) return finding;
  for (std::uint32_t i = 0; i < clusters_.size(); ++i) {
    const Cluster& cluster = clusters_[i];
    if (i > 0 && (cluster.writer == kNone || cluster.previous != kNone)) continue;
    if (auto finding = walk(i)) return finding;
  }
  // Swaps in a ring have no first one.
  std::size_t walked = 0, all = 0;
  for (const Block& block : blocks_)
    for (std::uint32_t at = block.cluster; at != kNone; at = clusters_[at].next) ++walked;
  for (std::size_t i = 0; i < clusters_.size(); ++i)
    all += i == 0 || clusters_[i].writer != kNone ? 1 : 0;
  if (walked != all) {
    for (const Cluster& cluster : clusters_)
      if (cluster.previous != kNone && cluster.next != kNone)
        return wrong("swaps made a value out of itself: " + name(cluster.writer), {cluster.writer});
  }
  return compare_blocks();
}

}  // namespace

std::optional<Finding> check_registers(const History& history,
                                       const std::vector<std::uint32_t>& operations,
                                       std::int64_t initial) {
  Register one(history, initial);
  for (const std::uint32_t number : operations)
    if (!one.add(number)) return std::nullopt;
  if (auto finding = one.contradiction()) {
    finding->checked = operations.size();
    return finding;
  }
  Finding finding;
  finding.checker = "register";
  finding.why = "there is an order of the values that explains every call";
  finding.checked = operations.size();
  return finding;
}

}  // namespace jepsen
