// Numbers and byte strings, big-endian and length-prefixed, to bytes and back: what rows are made
// of. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kv {

/// Appends to a string that it owns.
class ByteWriter {
 public:
  explicit ByteWriter(std::size_t reserve_bytes = 64) { bytes_.reserve(reserve_bytes); }

  ByteWriter& u8(std::uint8_t number) { return number_of(number, 1); }
  ByteWriter& u16(std::uint16_t number) { return number_of(number, 2); }
  ByteWriter& u32(std::uint32_t number) { return number_of(number, 4); }
  ByteWriter& u64(std::uint64_t number) { return number_of(number, 8); }
  /// Without a length: only as the last part, or where the length is fixed.
  ByteWriter& raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  /// A 32-bit length, then the bytes. Requires: below 4 GiB.
  ByteWriter& sized(std::string_view bytes) {
    return u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
  }
  std::string take() { return std::move(bytes_); }

 private:
  ByteWriter& number_of(std::uint64_t number, int size_bytes) {
    for (int shift = 8 * (size_bytes - 1); shift >= 0; shift -= 8)
      bytes_.push_back(static_cast<char>(number >> shift));
    return *this;
  }

  std::string bytes_;
};

/// Reads what a ByteWriter wrote; safe on any bytes. Once something was missing, ok() is false and
/// everything read since is zero or empty. The bytes must outlive the reader and what raw, rest and
/// sized return.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number_of(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number_of(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number_of(4)); }
  std::uint64_t u64() { return number_of(8); }
  std::string_view raw(std::size_t size_bytes) {
    if (size_bytes > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size_bytes);
    rest_.remove_prefix(size_bytes);
    return taken;
  }
  std::string_view sized() { return raw(u32()); }
  std::string_view rest() { return raw(rest_.size()); }

  bool ok() const { return ok_; }
  /// Whether everything was there and nothing is left.
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::uint64_t number_of(std::size_t size_bytes) {
    std::uint64_t number = 0;
    for (char c : raw(size_bytes)) number = number << 8 | static_cast<unsigned char>(c);
    return number;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace kv
