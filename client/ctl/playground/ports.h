// Ports for the nodes of a playground. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"

namespace client::ctl::playground {

/// Both ends belong to it. The default lies below the ports that the kernel gives to outgoing
/// connections, so that none is lost while its node is down.
struct PortRange {
  std::uint16_t lowest = 12000, highest = 31999;
  /// The i-th of `of` equal parts, for those who must not take each other's ports. Requires i < of.
  PortRange part(std::size_t i, std::size_t of) const;
};

/// `count` ports of 127.0.0.1 that nobody is bound to, picked by the seed. Errors: kUnavailable.
base::Result<std::vector<std::uint16_t>> free_ports(std::size_t count, std::uint64_t seed,
                                                    PortRange range = {});
/// Whether each can be bound now; otherwise kUnavailable, naming the first that cannot.
base::Status ports_are_free(const std::vector<std::uint16_t>& ports);

}  // namespace client::ctl::playground
