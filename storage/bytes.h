// Fixed little-endian layouts of what storage/ keeps on disk: rows, claims, slots, small files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace storage {

/// Appends numbers and bytes to a string.
class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t value) {
    out_.push_back(static_cast<char>(value));
    return *this;
  }
  ByteWriter& u64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) out_.push_back(static_cast<char>(value >> shift));
    return *this;
  }
  ByteWriter& ordinal(base::Ordinal ordinal) { return u64(ordinal.epoch).u64(ordinal.counter); }
  ByteWriter& bytes(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  const std::string& view() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Takes numbers off the front of bytes. Reading past the end gives zeros and makes ok() false for
/// good.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  std::uint8_t u8() {
    if (!need(1)) return 0;
    const auto value = static_cast<std::uint8_t>(left_[0]);
    left_.remove_prefix(1);
    return value;
  }
  std::uint64_t u64() {
    if (!need(8)) return 0;
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i) {
      value = value << 8 | static_cast<std::uint8_t>(left_[static_cast<std::size_t>(i)]);
    }
    left_.remove_prefix(8);
    return value;
  }
  base::Ordinal ordinal() {
    const std::uint64_t epoch = u64();
    return {epoch, u64()};
  }
  /// Everything that is left.
  std::string_view rest() {
    const std::string_view rest = left_;
    left_ = {};
    return rest;
  }
  bool ok() const { return ok_; }
  /// True if all was read, and no more than that.
  bool complete() const { return ok_ && left_.empty(); }

 private:
  bool need(std::size_t bytes) {
    ok_ = ok_ && left_.size() >= bytes;
    return ok_;
  }

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace storage
