#include "jepsen/faults/caught.h"

#include <sstream>

namespace jepsen {
namespace {

/// Its strength changes from one time to the next.
std::string key_of(const std::string& member, const client::Fault& fault) {
  std::string key = member + " " + fault.name;
  std::istringstream words(fault.parameter);
  for (std::string word; words >> word;)
    if (word.starts_with("peer=") || word.starts_with("direction=")) key += " " + word;
  return key;
}

}  // namespace

void Caught::begin(const std::string& member, const std::vector<client::Fault>& faults) {
  for (const client::Fault& fault : faults) before_[key_of(member, fault)] = fault.hits;
}

std::vector<std::string> Caught::proofs(const std::string& member,
                                        const std::vector<client::Fault>& faults) const {
  std::vector<std::string> lines;
  for (const client::Fault& fault : faults) {
    const auto known = before_.find(key_of(member, fault));
    const std::uint64_t before = known == before_.end() ? 0 : known->second;
    if (!fault.on || fault.hits <= before) continue;
    lines.push_back(member + ": " + fault.name +
                    (fault.parameter.empty() ? "" : ", " + fault.parameter + ",") + " caught " +
                    std::to_string(fault.hits - before) + " real calls");
  }
  return lines;
}

}  // namespace jepsen
