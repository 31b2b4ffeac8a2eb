#include "jepsen/check/availability.h"

#include <algorithm>
#include <map>

namespace jepsen {
namespace {

std::uint64_t number(const Value& value, const char* key) {
  const Value* found = value.find(key);
  return found == nullptr ? 0 : static_cast<std::uint64_t>(found->number);
}

std::string text(const Value& value, const char* key) {
  const Value* found = value.find(key);
  return found == nullptr ? "" : found->text;
}

/// When writes were acknowledged.
std::vector<std::uint64_t> successes(const History& history) {
  std::vector<std::uint64_t> all;
  for (const Operation& operation : history.operations) {
    const auto micros = history.micros_of(operation);
    const bool writes =
        std::any_of(micros.begin(), micros.end(), [](const Micro& m) { return m.writes(); });
    if (writes && operation.end == End::kOk && operation.returned_ns > 0)
      all.push_back(operation.returned_ns);
  }
  std::sort(all.begin(), all.end());
  return all;
}

void measure(const std::vector<std::uint64_t>& writes, std::uint64_t over_ns, Episode& episode) {
  const auto first = std::lower_bound(writes.begin(), writes.end(), episode.begin_ns);
  const auto after = std::lower_bound(first, writes.end(), episode.end_ns);
  episode.writes = static_cast<std::uint64_t>(after - first);
  // What was under way when it began counts from then on.
  std::uint64_t last = episode.begin_ns;
  for (auto at = first; at != writes.end(); ++at) {
    episode.longest_ms = std::max(episode.longest_ms, (*at - last) / kNsPerMs);
    last = *at;
    if (*at >= episode.end_ns) break;
  }
  if (after == writes.end()) {
    episode.longest_ms = std::max(episode.longest_ms, (std::max(over_ns, last) - last) / kNsPerMs);
    episode.recovery_ms = (std::max(over_ns, episode.end_ns) - episode.end_ns) / kNsPerMs;
  } else {
    episode.recovery_ms = (*after - episode.end_ns) / kNsPerMs;
  }
}

}  // namespace

std::vector<Episode> episodes_of(const History& history) {
  std::vector<Episode> episodes;
  std::map<std::uint64_t, std::size_t> numbers;
  std::uint64_t over_ns = history.end_ns;  // the load's end
  for (const Event& note : history.notes) {
    if (note.f == "load-ended") over_ns = note.time_ns;
    if (note.actor != "nemesis") continue;
    const std::uint64_t which = number(note.value, "number");
    if (note.f == "begin") {
      numbers[which] = episodes.size();
      Episode& episode = episodes.emplace_back();
      episode.fault = text(note.value, "fault");
      episode.targets = text(note.value, "targets");
      episode.bound_ms = number(note.value, "bound_ms");
      episode.begin_ns = note.time_ns;
      continue;
    }
    const auto found = numbers.find(which);
    if (found == numbers.end()) continue;
    Episode& episode = episodes[found->second];
    if (note.f == "proof") episode.proofs.push_back(text(note.value, "text"));
    if (note.f == "end") episode.end_ns = note.time_ns, episode.ended = true;
  }
  const auto writes = successes(history);
  for (Episode& episode : episodes) {
    if (episode.end_ns == 0) episode.end_ns = over_ns;
    measure(writes, over_ns, episode);
  }
  return episodes;
}

Finding check_availability(const History& history, const std::vector<Episode>& episodes,
                           std::uint32_t scale) {
  Finding finding;
  finding.checker = "availability";
  finding.checked = episodes.size();
  const auto fail = [&](const Episode& episode, const std::string& why) {
    finding.verdict = Verdict::kInvalid;
    finding.why =
        episode.fault + " of " + episode.targets + " at " + seconds(episode.begin_ns) + ": " + why;
    return finding;
  };
  std::uint64_t longest_ms = 0, bounded = 0;
  for (const Episode& episode : episodes) {
    if (!episode.ended) {
      finding.verdict = Verdict::kUnknown;
      finding.why = "the run did not outlive " + episode.fault + " of " + episode.targets;
      continue;
    }
    if (episode.proofs.empty())
      return fail(episode, "nothing at its victim shows that it took effect");
    if (episode.bound_ms == 0) continue;
    ++bounded;
    longest_ms = std::max(longest_ms, episode.longest_ms);
    if (episode.longest_ms > episode.bound_ms * scale)
      return fail(episode, "no write went through for " + std::to_string(episode.longest_ms) +
                               " ms, and " + std::to_string(episode.bound_ms * scale) +
                               " ms is the bound");
  }
  for (const Event& note : history.notes) {
    if (note.f != "skipped") continue;
    finding.verdict = Verdict::kUnknown;
    finding.why = "a fault could not be injected: " + text(note.value, "fault") + ": " +
                  text(note.value, "text");
    return finding;
  }
  if (finding.verdict == Verdict::kUnknown) return finding;
  if (episodes.empty()) {
    finding.verdict = Verdict::kEmpty;
    finding.why = "there was no fault";
    return finding;
  }
  finding.why = std::to_string(episodes.size()) + " faults, each seen at its victim; ";
  finding.why += bounded == 0 ? "none of them has a bound"
                              : "the longest time without a write in " + std::to_string(bounded) +
                                    " that have a bound was " + std::to_string(longest_ms) + " ms";
  return finding;
}

}  // namespace jepsen
