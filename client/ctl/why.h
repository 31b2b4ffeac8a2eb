// The last hour as its members wrote it down, put together into what a person asks: who led, why it
// ended, who decided, how long it took; which verdicts stood, found by whom; which faults were
// injected. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/ctl/health.h"

namespace client::ctl {

/// One line of the story. Times are milliseconds since 1970, by the clock of who wrote them.
struct Happening {
  enum class Kind : std::uint8_t { kLeaderChange, kVerdict, kFault, kOther };
  Kind kind = Kind::kOther;
  std::uint64_t at_ms = 0;
  std::string member;                // whom it is about; of a change of leader: who leads now
  std::string text;                  // the rest of the sentence
  std::vector<std::string> sources;  // who found a verdict
  std::uint64_t took_ms = 0;         // of a change of leader: from the end of the last leadership
  std::uint64_t ended_ms = 0;        // of a verdict; 0: it stands
};

/// "23:08:47.646" in local time.
std::string time_of(std::uint64_t at_ms);

/// Oldest first.
std::vector<Happening> story_of(const std::vector<HealthAnswer>& answers);
std::string simple_why(const std::vector<Happening>& story);
nlohmann::ordered_json json_of(const std::vector<Happening>& story);

}  // namespace client::ctl
