// A value of a key, as something to look up. Pure; any thread.
#pragma once

#include <cstdint>

namespace jepsen {

struct Written {
  std::uint32_t key;
  std::int64_t value;
  bool operator==(const Written&) const = default;
};

struct HashOfWritten {
  std::size_t operator()(const Written& written) const {
    const auto value = static_cast<std::uint64_t>(written.value);
    return (value * 0x9e3779b97f4a7c15u) ^ (written.key * 0xff51afd7ed558ccdu);
  }
};

}  // namespace jepsen
