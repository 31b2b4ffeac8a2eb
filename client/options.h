// What a caller decides about a Client. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace client {

/// Every time is in milliseconds of the monotonic clock.
struct Options {
  std::vector<std::string>
      endpoints;                    // "host:port"; at least one; more are learnt from the members
  std::uint32_t timeout_ms = 5000;  // of one call, all its attempts together
  std::uint32_t dial_timeout_ms = 500;
  std::uint32_t silence_ms =
      400;  // asked, and nothing heard for so long: the endpoint is put aside
  std::uint32_t leaderless_ms = 1500;   // 5T without a leader on any endpoint: calls end early
  std::uint32_t connections = 1;        // to the leader
  std::uint32_t submits_in_flight = 8;  // a connection
  std::uint32_t calls_max = 16384;      // taken in and not finished; above: kOverloaded
  bool pinned = false;                  // to these endpoints: none is learnt, no hint is followed
  bool retries = true;                  // false: a call that was sent once is not sent again
  std::uint64_t seed = 0;               // of the jitter of retries; 0: from the system
};

}  // namespace client
