// Ports for the nodes of a playground. Any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"

namespace client::ctl::playground {

/// `count` ports of 127.0.0.1 that nobody is bound to, below those that the kernel gives to
/// outgoing connections, so that none is lost while its node is down. Errors: kUnavailable.
base::Result<std::vector<std::uint16_t>> free_ports(std::size_t count, std::uint64_t seed);
/// Whether each can be bound now; otherwise kUnavailable, naming the first that cannot.
base::Status ports_are_free(const std::vector<std::uint16_t>& ports);

}  // namespace client::ctl::playground
