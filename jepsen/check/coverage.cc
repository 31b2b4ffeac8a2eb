#include "jepsen/check/coverage.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <unordered_map>

namespace jepsen {
namespace {

/// 0: it is not known.
double number(const History& history, const char* key) {
  const auto found = history.about.find(key);
  return found == history.about.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
}

/// Of writes, how many were under way together with another one of the same key; of a thousand.
std::uint64_t contended_permille(const History& history) {
  std::unordered_map<std::uint32_t, std::uint32_t> busy_until;  // by key: a place
  std::uint64_t writes = 0, contended = 0;
  for (const Operation& operation : history.operations) {
    bool counted = false, met = false;
    for (const Micro& micro : history.micros_of(operation)) {
      if (!micro.writes()) continue;
      counted = true;
      std::uint32_t& until = busy_until[micro.key];
      met = met || until > operation.invoked;
      if (operation.returned != kOpen) until = std::max(until, operation.returned);
    }
    writes += counted ? 1 : 0;
    contended += counted && met ? 1 : 0;
  }
  return writes == 0 ? 0 : contended * 1000 / writes;
}

/// One that the run was to inject, and did not; empty: none.
std::string missing_fault(const History& history, const std::vector<Episode>& episodes) {
  const auto found = history.about.find("nemesis");
  if (found == history.about.end()) return "";
  std::istringstream names(found->second);
  for (std::string name; std::getline(names, name, '+');) {
    const bool met = std::any_of(episodes.begin(), episodes.end(),
                                 [&](const Episode& episode) { return episode.fault == name; });
    if (!met && name != "none") return name;
  }
  return "";
}

/// One that must not keep writes away, and during which there was none, each time that it was
/// injected; empty: none. (One alone may be shorter than its bound.)
std::string idle_fault(const std::vector<Episode>& episodes) {
  std::map<std::string, std::uint64_t> writes;
  for (const Episode& episode : episodes)
    if (episode.bound_ms != 0) writes[episode.fault] += episode.writes;
  for (const auto& [fault, count] : writes)
    if (count == 0) return fault;
  return "";
}

std::string percent(std::uint64_t permille) {
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + "%";
}

}  // namespace

Finding check_coverage(const History& history, const std::vector<Episode>& episodes,
                       std::uint64_t unknown) {
  Finding finding;
  finding.checker = "coverage";
  finding.checked = history.size();
  const double rate = number(history, "rate");
  if (rate == 0 || history.size() == 0) {
    finding.verdict = Verdict::kEmpty;
    finding.why = "it is not known what was asked for";
    return finding;
  }
  std::uint64_t first_ns = history.end_ns;
  for (const Episode& episode : episodes) first_ns = std::min(first_ns, episode.begin_ns);
  const std::uint64_t begin_ns = history.operations.front().invoked_ns;
  std::set<std::string> answered;
  double calm = 0;
  for (const Operation& operation : history.operations) {
    if (operation.end != End::kOk) continue;
    calm += operation.returned_ns <= first_ns ? 1 : 0;
    if (operation.node != 0) answered.insert(history.nodes[operation.node]);
  }
  const double calm_rate =
      calm / std::max(0.001, static_cast<double>(first_ns - std::min(begin_ns, first_ns)) / 1e9);
  const std::uint64_t contended = contended_permille(history);
  const std::uint64_t unknown_permille = unknown * 1000 / history.size();
  const auto weak = [&](std::string why) {
    finding.verdict = Verdict::kUnknown;
    finding.why = std::move(why);
    return finding;
  };
  constexpr double kCalmPart = 0.5;
  constexpr std::uint64_t kUnknownPermille = 200, kContendedPermille = 50;
  if (calm_rate < rate * kCalmPart)
    return weak("only " + std::to_string(static_cast<int>(calm_rate)) +
                " calls a second went well before the first fault, of " +
                std::to_string(static_cast<int>(rate)));
  if (unknown_permille >= kUnknownPermille)
    return weak(percent(unknown_permille) + " of the calls had an unknown end");
  if (static_cast<double>(answered.size()) < number(history, "nodes"))
    return weak("only " + std::to_string(answered.size()) + " members answered anybody");
  const bool shared_keys = history.keys.size() * 20 < history.size();
  if (shared_keys && contended < kContendedPermille)
    return weak("only " + percent(contended) + " of the writes met another one of their key");
  if (const std::string missing = missing_fault(history, episodes); !missing.empty())
    return weak(missing + " was asked for, and never happened");
  if (const std::string idle = idle_fault(episodes); !idle.empty())
    return weak("nothing was written during any " + idle);
  finding.why =
      std::to_string(static_cast<int>(calm_rate)) + " calls a second before the first fault, " +
      percent(contended) + " of the writes met another of their key, " + percent(unknown_permille) +
      " of all had an unknown end, " + std::to_string(answered.size()) + " members answered";
  return finding;
}

}  // namespace jepsen
