// What names stood for when they were last resolved, so that a name server that fails or hangs
// costs nobody a link that stood before. Loop thread, but for the faults.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <asio/ip/tcp.hpp>

#include "base/fault_switch.h"

namespace net {

/// Faults of the resolver that can be injected. Any thread.
struct NameFaults {
  base::FaultSwitch fail;  // no name is found
  base::FaultSwitch hang;  // no answer comes
  base::FaultSwitch slow;  // it is asked so many milliseconds later
};

/// One a loop.
/// Invariant: a name has at most one list of addresses: those of its last success.
class Names {
 public:
  /// How long to wait for the resolver where an older answer is known.
  static constexpr std::uint32_t kPatienceMs = 200;

  using Endpoints = std::vector<asio::ip::tcp::endpoint>;

  void remember(const std::string& host, std::uint16_t port, Endpoints endpoints) {
    known_[{host, port}] = std::move(endpoints);
  }
  /// Null: it was never resolved here.
  const Endpoints* find(const std::string& host, std::uint16_t port) const {
    const auto at = known_.find({host, port});
    return at == known_.end() ? nullptr : &at->second;
  }

  /// `faults` outlives the loop's use; null: none.
  void meet(NameFaults* faults) { faults_ = faults; }
  NameFaults* faults() const { return faults_; }

 private:
  std::map<std::pair<std::string, std::uint16_t>, Endpoints> known_;
  NameFaults* faults_ = nullptr;
};

}  // namespace net
