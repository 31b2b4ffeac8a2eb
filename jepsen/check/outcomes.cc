#include "jepsen/check/outcomes.h"

#include <algorithm>
#include <unordered_map>

#include "jepsen/check/written.h"

namespace jepsen {
namespace {

using Kind = Micro::Kind;

struct Sight {
  std::uint32_t place = kOpen;  // the earliest end of who saw it
  std::uint64_t revision = 0;
};

using Sights = std::unordered_map<Written, Sight, HashOfWritten>;

void see(Sights& sights, const Written& written, std::uint32_t place, std::uint64_t revision) {
  const auto found = sights.find(written);
  if (found == sights.end()) return;
  found->second.place = std::min(found->second.place, place);
  if (revision != 0) found->second.revision = revision;
}

/// What those whose outcome is unknown wrote. A value that was written twice, or was there at
/// first, tells nothing.
Sights wanted(const History& history, std::int64_t initial) {
  Sights sights;
  const auto each_written = [&](const auto& take) {
    for (const Operation& operation : history.operations) {
      if (operation.end == End::kFail) continue;
      for (const Micro& micro : history.micros_of(operation))
        if (micro.writes() && micro.value != kAbsent && micro.value != initial)
          take(operation, Written{micro.key, micro.value});
    }
  };
  each_written([&](const Operation& operation, const Written& written) {
    if (operation.end == End::kUnknown) sights[written];
  });
  if (sights.empty()) return sights;
  std::unordered_map<Written, int, HashOfWritten> writers;
  each_written([&](const Operation&, const Written& written) {
    if (sights.contains(written)) ++writers[written];
  });
  std::erase_if(sights, [&](const auto& sight) { return writers[sight.first] > 1; });
  return sights;
}

void look(const History& history, Sights& sights) {
  for (const Operation& operation : history.operations) {
    if (operation.end != End::kOk) continue;
    for (const Micro& micro : history.micros_of(operation)) {
      if (micro.kind == Kind::kRead || micro.kind == Kind::kMiss) {
        see(sights, {micro.key, micro.value}, operation.returned, micro.modified);
      } else if (micro.kind == Kind::kCas) {
        see(sights, {micro.key, micro.expected}, operation.returned, 0);
      } else if (micro.has_list()) {
        for (const std::int64_t element : history.elements_of(micro))
          see(sights, {micro.key, element}, operation.returned, 0);
      }
    }
  }
}

}  // namespace

Outcomes resolve_unknown(History& history, std::int64_t initial) {
  Outcomes outcomes;
  Sights sights = wanted(history, initial);
  if (!sights.empty()) look(history, sights);
  std::unordered_map<std::uint32_t, const Resolution*> told;
  for (const Resolution& resolution : history.resolutions) told[resolution.invoked] = &resolution;
  for (Operation& operation : history.operations) {
    if (operation.end != End::kUnknown) continue;
    const auto micros = history.micros_of(operation);
    if (std::none_of(micros.begin(), micros.end(), [](const Micro& m) { return m.writes(); }))
      continue;
    const auto found = told.find(operation.invoked);
    const Resolution* resolution = found == told.end() ? nullptr : found->second;
    const Sight* sight = nullptr;
    for (const Micro& micro : micros) {
      const auto seen = sights.find({micro.key, micro.value});
      if (micro.writes() && seen != sights.end() && seen->second.place != kOpen)
        sight = &seen->second;
    }
    outcomes.seen += sight != nullptr ? 1 : 0;
    outcomes.resolved += sight == nullptr && resolution != nullptr ? 1 : 0;
    outcomes.open += sight == nullptr && resolution == nullptr ? 1 : 0;
    if (resolution != nullptr) {
      operation.end = resolution->applied ? End::kOk : End::kFail;
      operation.revision = resolution->revision;
    } else if (sight != nullptr) {
      operation.end = End::kOk;
      operation.revision = sight->revision;
    }
    if (operation.end != End::kOk) continue;
    // It happened before it was seen, or before the run was over.
    operation.returned =
        std::max(sight != nullptr ? sight->place : history.events, operation.invoked + 1);
  }
  return outcomes;
}

}  // namespace jepsen
