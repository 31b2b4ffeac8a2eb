#include "jepsen/check/sets.h"

#include <algorithm>
#include <unordered_map>

namespace jepsen {
namespace {

using Kind = Micro::Kind;
using Number = std::uint32_t;

struct Element {
  Number adder = 0;
  std::uint32_t known = kOpen;  // the place from which on it must be found
  Number by = 0;                // whose end that is
};

class Sets {
 public:
  explicit Sets(const History& history) : history_(history) {}
  Finding run();

 private:
  bool fail(std::string why, std::vector<Number> witness) {
    return contradict(history_, finding_, std::move(why), std::move(witness));
  }
  void collect();
  bool reads_what_was_added();
  bool reads_all();
  bool reads_are_nested();
  std::vector<std::int64_t> sorted(Number read) const;

  const History& history_;
  std::unordered_map<std::int64_t, Element> elements_;
  std::vector<Number> reads_;
  Finding finding_;
};

void Sets::collect() {
  for (Number i = 0; i < history_.size(); ++i) {
    const Operation& operation = history_.operations[i];
    for (const Micro& micro : history_.micros_of(operation)) {
      if (micro.kind == Kind::kAdd) {
        const bool ok = operation.end == End::kOk;
        elements_[micro.value] = {i, ok ? operation.returned : kOpen, i};
      } else if (micro.kind == Kind::kMembers && operation.end == End::kOk && !operation.stale) {
        reads_.push_back(i);
      }
    }
  }
}

std::vector<std::int64_t> Sets::sorted(Number read) const {
  const auto all = history_.elements_of(history_.micros_of(history_.operations[read]).front());
  std::vector<std::int64_t> elements(all.begin(), all.end());
  std::sort(elements.begin(), elements.end());
  return elements;
}

bool Sets::reads_what_was_added() {
  for (const Number read : reads_) {
    const Operation& operation = history_.operations[read];
    const auto elements = sorted(read);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const std::string name = "the element " + std::to_string(elements[i]);
      if (i > 0 && elements[i] == elements[i - 1])
        return fail(name + " was read twice in one set", {read});
      const auto found = elements_.find(elements[i]);
      if (found == elements_.end()) return fail(name + " was read and added by nobody", {read});
      Element& element = found->second;
      const Operation& adder = history_.operations[element.adder];
      if (adder.end == End::kFail)
        return fail(name + " was read, though adding it surely did not happen",
                    {element.adder, read});
      if (operation.returned < adder.invoked)
        return fail(name + " was read before anybody added it", {read, element.adder});
      if (operation.returned < element.known) element.known = operation.returned, element.by = read;
    }
  }
  return true;
}

bool Sets::reads_all() {
  for (const Number read : reads_) {
    const auto elements = sorted(read);
    const Operation& operation = history_.operations[read];
    for (const auto& [value, element] : elements_) {
      if (element.known >= operation.invoked) continue;
      if (std::binary_search(elements.begin(), elements.end(), value)) continue;
      const bool seen = element.by != element.adder;
      std::vector<Number> witness = {element.adder};
      if (seen) witness.push_back(element.by);
      witness.push_back(read);
      return fail("the element " + std::to_string(value) + " was " +
                      (seen ? "seen" : "acknowledged") + ", and then not there",
                  std::move(witness));
    }
  }
  return true;
}

bool Sets::reads_are_nested() {
  std::vector<std::pair<std::vector<std::int64_t>, Number>> all;
  for (const Number read : reads_) all.emplace_back(sorted(read), read);
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const auto& [smaller, one] = all[i];
    const auto& [larger, other] = all[i + 1];
    if (!std::includes(larger.begin(), larger.end(), smaller.begin(), smaller.end()))
      return fail("two reads saw different elements first", {one, other});
  }
  return true;
}

Finding Sets::run() {
  finding_.checker = "set";
  collect();
  finding_.checked = elements_.size() + reads_.size();
  if (reads_.empty()) {
    finding_.verdict = Verdict::kEmpty;
    finding_.why = "the set was not read";
    return finding_;
  }
  if (!reads_what_was_added() || !reads_all() || !reads_are_nested()) return finding_;
  finding_.why = std::to_string(reads_.size()) + " reads found all that was added before";
  return finding_;
}

}  // namespace

Finding check_sets(const History& history) {
  return Sets(history).run();
}

}  // namespace jepsen
