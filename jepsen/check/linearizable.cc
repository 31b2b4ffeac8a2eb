#include <algorithm>

#include "jepsen/check/check.h"
#include "jepsen/check/registers.h"
#include "jepsen/check/search.h"
#include "jepsen/check/store_model.h"

namespace jepsen {
namespace {

using Part = std::vector<std::uint32_t>;
using Answer = SearchResult::Answer;

/// A part up to some place: what had not ended by then is open, what had not begun is not there.
class Beginning {
 public:
  Beginning(const History& history, const CheckOptions& options)
      : history_(history), options_(options) {}

  SearchResult look(const Part& part, std::uint32_t until) const {
    Part begun;
    for (const std::uint32_t number : part) {
      const Operation& operation = history_.operations[number];
      if (operation.invoked > until) continue;
      if (operation.returned > until && only_reads(history_, operation)) continue;
      begun.push_back(number);
    }
    StoreModel model(history_, begun, options_.initial);
    std::vector<Call> calls = model.calls();
    for (Call& call : calls)
      if (call.returned > until) call.returned = UINT32_MAX;
    SearchBounds bounds;
    bounds.states_max = options_.states_max;
    bounds.expired = options_.expired;
    return search(calls, model, bounds);
  }
  bool wrong(const Part& part, std::uint32_t until) const {
    return look(part, until).answer == Answer::kNo;
  }

 private:
  const History& history_;
  const CheckOptions& options_;
};

/// The earliest end up to which the part is wrong already; a beginning of a good history is good.
std::uint32_t shortest(const History& history, const Part& part, const Beginning& beginning) {
  std::vector<std::uint32_t> ends;
  for (const std::uint32_t number : part)
    if (history.operations[number].returned != kOpen)
      ends.push_back(history.operations[number].returned);
  std::sort(ends.begin(), ends.end());
  const auto found = std::partition_point(
      ends.begin(), ends.end() - 1, [&](std::uint32_t end) { return !beginning.wrong(part, end); });
  return *found;
}

/// A good history stays good without some of its reads, so those that can go are not to blame.
Part without_needless_reads(const History& history, Part part, const Beginning& beginning,
                            std::uint32_t until) {
  std::erase_if(part,
                [&](std::uint32_t number) { return history.operations[number].invoked > until; });
  for (std::size_t size = part.size(); size > 0; size /= 2) {
    for (std::size_t from = 0; from < part.size();) {
      Part fewer;
      bool dropped = false;
      for (std::size_t i = 0; i < part.size(); ++i) {
        const bool drop =
            i >= from && i < from + size && only_reads(history, history.operations[part[i]]);
        dropped = dropped || drop;
        if (!drop) fewer.push_back(part[i]);
      }
      if (dropped && beginning.wrong(fewer, until))
        part = std::move(fewer);
      else
        from += size;
    }
  }
  return part;
}

Finding blame(const History& history, const Part& part, const Beginning& beginning) {
  Finding finding;
  finding.checker = "linearizable";
  finding.verdict = Verdict::kInvalid;
  const std::uint32_t until = shortest(history, part, beginning);
  const Part few = without_needless_reads(history, part, beginning, until);
  constexpr std::size_t kFew = 12;
  for (const std::uint32_t number : part)
    if (history.operations[number].returned == until)
      finding.why = "no order explains " + describe(history, history.operations[number]);
  // Of many only the last are told: who began before the end that is one too many.
  for (std::size_t i = few.size() - std::min(few.size(), kFew); i < few.size(); ++i) {
    finding.witness.push_back(few[i]);
    finding.words.push_back(describe(history, history.operations[few[i]]));
  }
  if (few.size() > kFew)
    finding.words.insert(finding.words.begin(),
                         std::to_string(few.size() - kFew) + " operations before, and then:");
  return finding;
}

}  // namespace

Finding check_linearizable(const History& history, const CheckOptions& options) {
  Finding all;
  all.checker = "linearizable";
  std::size_t by_order = 0, by_search = 0, states = 0, left = 0;
  // A search of thousands of operations is a matter of luck. Where replies carry revisions, or
  // lists tell of their order, there is another checker for them.
  constexpr std::size_t kSearchedOperations = 1000;
  const bool judged_otherwise =
      std::any_of(history.operations.begin(), history.operations.end(),
                  [](const Operation& operation) { return operation.revision != 0; });
  std::string undecided;
  for (const Part& part : independent_parts(history)) {
    all.checked += part.size();
    if (auto finding = check_registers(history, part, options.initial)) {
      if (finding->verdict == Verdict::kInvalid) return *finding;
      ++by_order;
      continue;
    }
    if (judged_otherwise && part.size() > kSearchedOperations) {
      all.checked -= part.size();
      left += part.size();
      continue;
    }
    const Beginning beginning(history, options);
    const SearchResult result = beginning.look(part, history.events);
    ++by_search;
    states += result.states;
    if (result.answer == Answer::kNo) {
      Finding finding = blame(history, part, beginning);
      finding.checked = part.size();
      return finding;
    }
    if (result.answer == Answer::kUndecided)
      undecided = "after " + std::to_string(result.states) +
                  " states nothing is decided about the key " +
                  history.key_name(history.micros_of(history.operations[part[0]])[0].key);
  }
  if (!undecided.empty()) {
    all.verdict = Verdict::kUnknown;
    all.why = undecided;
  } else if (all.checked == 0) {
    all.verdict = Verdict::kEmpty;
    all.why = "no operation says anything";
  } else {
    all.why = "an order explains every reply: of " + std::to_string(by_order) +
              " keys by their unique values, of " + std::to_string(by_search) +
              " by a search over " + std::to_string(states) + " states";
  }
  return all;
}

}  // namespace jepsen
