#include "tests/sim/history.h"

#include "tests/sim/journal.h"

namespace sim {

std::string to_string(const Operation& operation) {
  static constexpr const char* kVerbs[] = {"put",   "get",       "delete",     "cas",
                                           "range", "stale-get", "past-range", "compact"};
  std::string text = "client " + std::to_string(operation.client) + " " +
                     kVerbs[static_cast<std::size_t>(operation.verb)] + " " + operation.key;
  if (operation.verb == Verb::kCas) text += " from " + operation.expected.value_or("(absent)");
  if (operation.at) text += " at " + std::to_string(operation.at.value);
  if (operation.refused) text += " refused";
  if (!operation.value.empty()) text += " to " + operation.value;
  text += " [" + show_time(operation.invoked) + ".. " +
          (operation.open() ? std::string("open") : show_time(operation.returned)) + "]";
  if (operation.open()) return text;
  text +=
      " revision " + std::to_string(operation.revision.value) + (operation.wrote ? " wrote" : "");
  for (const Seen& seen : operation.seen) {
    text += " saw " + seen.key + "=" + seen.value.value_or("(absent)") + "@" +
            std::to_string(seen.modified.value);
  }
  return text;
}

}  // namespace sim
