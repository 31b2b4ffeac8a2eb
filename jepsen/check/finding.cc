#include "jepsen/check/finding.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace jepsen {
namespace {

using Kind = Micro::Kind;

std::string number(std::int64_t value) {
  return value == kAbsent ? "nothing" : std::to_string(value);
}

std::string elements(const History& history, const Micro& micro) {
  constexpr std::size_t kShown = 6;
  const auto all = history.elements_of(micro);
  std::string text = "[";
  if (all.size() > kShown) text += "…" + std::to_string(all.size() - kShown) + " more… ";
  for (std::size_t i = all.size() - std::min(all.size(), kShown); i < all.size(); ++i)
    text += std::to_string(all[i]) + (i + 1 < all.size() ? " " : "");
  return text + "]";
}

std::string describe(const History& history, const Micro& micro, bool ended) {
  const std::string& name = history.key_name(micro.key);
  const std::string key = name.empty() ? "" : " " + name;
  switch (micro.kind) {
    case Kind::kRead:
      return "read" + key + (ended ? " = " + number(micro.value) : "");
    case Kind::kUnread:
      return "read" + key;
    case Kind::kWrite:
      return micro.value == kAbsent ? "deleted" + key : "wrote" + key + " = " + number(micro.value);
    case Kind::kCas:
      return "swapped" + key + " from " + number(micro.expected) + " to " + number(micro.value);
    case Kind::kMiss:
      return "wanted to swap" + key + " from " + number(micro.expected) + " and found " +
             number(micro.value);
    case Kind::kAppend:
      return "appended " + number(micro.value) + " to" + key;
    case Kind::kList:
      return "read" + key + " = " + elements(history, micro);
    case Kind::kAdd:
      return "added " + number(micro.value);
    case Kind::kMembers:
      return "read all = " + elements(history, micro);
    case Kind::kVersions:
      return "read all versions of" + key +
             (micro.value > 0 ? " after the first " + std::to_string(micro.value) : "") + " = " +
             elements(history, micro);
    case Kind::kAcquire:
      return "acquired the lock";
    case Kind::kRelease:
      return "released the lock";
  }
  return "";
}

}  // namespace

const char* name_of(Verdict verdict) {
  constexpr std::array<const char*, 4> kNames = {"valid", "invalid", "unknown", "empty"};
  return kNames[static_cast<std::size_t>(verdict)];
}

Verdict worse(Verdict a, Verdict b) {
  const auto rank = [](Verdict verdict) {
    constexpr std::array<int, 4> kRanks = {0, 3, 2, 1};
    return kRanks[static_cast<std::size_t>(verdict)];
  };
  return rank(a) >= rank(b) ? a : b;
}

std::string seconds(std::uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f s", static_cast<double>(ns) / 1e9);
  return text;
}

std::string describe(const History& history, const Operation& operation) {
  std::string text = "process " + std::to_string(operation.process);
  const bool ended = operation.end == End::kOk;
  std::string between = " ";
  for (const Micro& micro : history.micros_of(operation)) {
    text += between + describe(history, micro, ended);
    between = ", ";
  }
  std::string where;
  if (operation.node != 0) where = history.nodes[operation.node];
  if (operation.revision != 0)
    where += (where.empty() ? "revision " : ", revision ") + std::to_string(operation.revision);
  if (!where.empty()) text += " (" + where + ")";
  if (operation.invoked_ns == 0 && operation.returned_ns == 0)
    return text + ", events " + std::to_string(operation.invoked) + " to " +
           (operation.returned == kOpen ? "…" : std::to_string(operation.returned));
  text += ", from " + seconds(operation.invoked_ns) + " to ";
  if (operation.end == End::kUnknown || operation.returned == kOpen) return text + "an unknown end";
  return text + seconds(operation.returned_ns);
}

bool contradict(const History& history, Finding& finding, std::string why,
                std::vector<std::uint32_t> witness) {
  finding.verdict = Verdict::kInvalid;
  finding.why = std::move(why);
  for (const std::uint32_t number : witness)
    finding.words.push_back(describe(history, history.operations[number]));
  finding.witness = std::move(witness);
  return false;
}

}  // namespace jepsen
