#include "storage/wal_scan.h"

#include <array>
#include <string>

namespace storage {
namespace {

// Blocks of 32 KiB hold fragments: masked CRC-32C of type and payload (4), length (2), type (1).
constexpr std::size_t kBlockBytes = 32768;
constexpr std::size_t kHeaderBytes = 7;
enum FragmentType : unsigned { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// A record is a write batch: sequence (8), count (4), then operations; ours begin with a blob of
// log data, whose tag is 3 and whose length fits one byte of varint.
constexpr std::size_t kBatchHeaderBytes = 12;
constexpr char kLogDataTag = 3;
constexpr std::size_t kClaimAt = kBatchHeaderBytes + 2;
constexpr std::size_t kPrefixBytes = kClaimAt + kClaimBytes;
static_assert(kClaimBytes < 128);

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[byte] = crc;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint32_t mask(std::uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    value = value << 8 | static_cast<unsigned char>(*byte);
  }
  return value;
}

std::optional<Claim> claim_in(std::string_view prefix) {
  if (prefix[kBatchHeaderBytes] != kLogDataTag) return std::nullopt;
  if (prefix[kBatchHeaderBytes + 1] != static_cast<char>(kClaimBytes)) return std::nullopt;
  return decode_claim(prefix.substr(kClaimAt, kClaimBytes));
}

/// Puts the start of a record together from its fragments, as far as the claim reaches.
class Scanner {
 public:
  void block(std::string_view block) {
    while (block.size() >= kHeaderBytes) {
      const std::size_t length = little_endian(block.substr(4, 2));
      const auto type = static_cast<unsigned char>(block[6]);
      const bool fits = kHeaderBytes + length <= block.size();
      // What lies behind a fragment that is not whole cannot be found before the next block.
      if (!fits || mask(crc32c(block.substr(6, 1 + length))) != little_endian(block.substr(0, 4))) {
        collecting_ = false;
        return;
      }
      fragment(type, block.substr(kHeaderBytes, length));
      block.remove_prefix(kHeaderBytes + length);
    }
  }
  const std::optional<Claim>& highest() const { return highest_; }

 private:
  void fragment(unsigned type, std::string_view payload) {
    if (type == kFull || type == kFirst) {
      prefix_.clear();
      collecting_ = true;
    } else if (type != kMiddle && type != kLast) {
      collecting_ = false;
    }
    if (!collecting_) return;
    prefix_.append(payload.substr(0, kPrefixBytes - prefix_.size()));
    if (prefix_.size() < kPrefixBytes) return;
    collecting_ = false;
    const auto claim = claim_in(prefix_);
    if (claim && (!highest_ || highest_->ordinal < claim->ordinal)) highest_ = claim;
  }

  std::string prefix_;       // of the record that is being put together
  bool collecting_ = false;  // every fragment of it so far was whole
  std::optional<Claim> highest_;
};

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~crc;
}

std::optional<Claim> highest_claim_in_wal(std::string_view file) {
  Scanner scanner;
  for (std::size_t at = 0; at < file.size(); at += kBlockBytes) {
    scanner.block(file.substr(at, kBlockBytes));
  }
  return scanner.highest();
}

}  // namespace storage
