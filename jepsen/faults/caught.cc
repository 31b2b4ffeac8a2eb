#include "jepsen/faults/caught.h"

namespace jepsen {
namespace {

std::string text_of(const std::string& member, const client::Fault& fault) {
  return member + ": " + fault.name + (fault.parameter.empty() ? "" : ", " + fault.parameter + ",");
}

}  // namespace

void Caught::begin(const std::string& member, const std::vector<client::Fault>& faults) {
  for (const client::Fault& fault : faults)
    if (fault.on) before_.emplace(text_of(member, fault), fault.hits);
}

std::vector<std::string> Caught::proofs(const std::string& member,
                                        const std::vector<client::Fault>& faults) const {
  std::vector<std::string> lines;
  for (const client::Fault& fault : faults) {
    const auto before = before_.find(text_of(member, fault));
    if (!fault.on || before == before_.end() || fault.hits <= before->second) continue;
    lines.push_back(before->first + " caught " + std::to_string(fault.hits - before->second) +
                    " real calls");
  }
  return lines;
}

}  // namespace jepsen
