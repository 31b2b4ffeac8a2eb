// XXH3 for checksums, chain hashes and digests: it finds accidents, not attackers. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace base {

/// XXH3-64 of the bytes.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

/// A running hash of numbers and byte strings; the same calls in the same order give the same
/// value.
class Hasher {
 public:
  Hasher& add(std::uint64_t number);
  /// Adds the length first, so that ("ab","c") and ("a","bc") differ.
  Hasher& add(std::string_view bytes);
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0;
};

}  // namespace base
