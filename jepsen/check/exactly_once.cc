#include "jepsen/check/exactly_once.h"

#include <unordered_map>

#include "jepsen/check/written.h"

namespace jepsen {
namespace {

struct Fate {
  std::uint32_t operation = 0;
  std::uint64_t revision = 0;  // at which the feed tells of it
};
using Fates = std::unordered_map<Written, Fate, HashOfWritten>;

Finding wrong(const History& history, std::string why, std::vector<std::uint32_t> witness) {
  Finding finding;
  finding.checker = "exactly-once";
  (void)contradict(history, finding, std::move(why), std::move(witness));
  return finding;
}

std::string at(std::uint64_t revision) {
  return "at revision " + std::to_string(revision);
}

}  // namespace

Finding check_exactly_once(const History& history, const Feed& feed) {
  Finding finding;
  finding.checker = "exactly-once";
  if (!feed.known) {
    finding.verdict = Verdict::kEmpty;
    finding.why = "the run has no account of all changes";
    return finding;
  }
  Fates fates;
  for (std::uint32_t i = 0; i < history.size(); ++i) {
    for (const Micro& micro : history.micros_of(history.operations[i])) {
      if (!micro.writes() || micro.value == kAbsent) continue;
      const auto [found, added] = fates.emplace(Written{micro.key, micro.value}, Fate{i, 0});
      if (!added)
        return wrong(history, "two operations wrote the same value: this history cannot be judged",
                     {found->second.operation, i});
    }
  }
  for (const Change& change : feed.changes) {
    if (change.value == kAbsent) continue;
    const auto found = fates.find({change.key, change.value});
    if (found == fates.end()) continue;
    Fate& fate = found->second;
    if (fate.revision != 0)
      return wrong(history,
                   "a write happened twice, " + at(fate.revision) + " and " + at(change.revision),
                   {fate.operation});
    fate.revision = change.revision;
    if (history.operations[fate.operation].end == End::kFail)
      return wrong(history, "a write that surely did not happen did, " + at(change.revision),
                   {fate.operation});
  }
  for (const auto& [written, fate] : fates) {
    const Operation& operation = history.operations[fate.operation];
    if (operation.end != End::kOk) continue;
    ++finding.checked;
    if (fate.revision == 0 && operation.revision <= feed.end)
      return wrong(history, "an acknowledged write is lost: no revision tells of it",
                   {fate.operation});
    if (fate.revision != 0 && operation.revision != 0 && operation.revision != fate.revision)
      return wrong(
          history,
          "a write was acknowledged with another revision than it has, " + at(fate.revision),
          {fate.operation});
  }
  finding.verdict = finding.checked == 0 ? Verdict::kEmpty : Verdict::kValid;
  finding.why = finding.checked == 0 ? "nothing was written"
                                     : "each acknowledged write is in the store's account once";
  return finding;
}

}  // namespace jepsen
