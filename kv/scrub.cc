#include "kv/scrub.h"

#include <optional>

#include "base/hash.h"
#include "kv/bytes.h"

namespace kv {
namespace {

constexpr std::size_t kHistoryRange = 16;
constexpr std::size_t kRevisionBytes = 8;

/// The revision of an event or of a version, by the key of its row; nullopt: it has none.
std::optional<Revision> revision_of(const EngineRow& row) {
  if (row.key.size() < kRevisionBytes) return std::nullopt;
  const std::string_view key = row.key;
  if (row.space == Space::kHistory) return Revision(ByteReader(key).u64());
  if (row.space != Space::kVersions) return std::nullopt;
  return Revision(~ByteReader(key.substr(key.size() - kRevisionBytes)).u64());
}

std::size_t range_of(const EngineRow& row) {
  switch (row.space) {
    case Space::kLatest:
      return row.key.empty() ? 0 : static_cast<unsigned char>(row.key.front()) >> 4;
    case Space::kHistory:
      return kHistoryRange;
    case Space::kVersions:
      return kHistoryRange + 1;
    case Space::kSessions:
      return kHistoryRange + 2;
    default:
      return kHistoryRange + 3;
  }
}

}  // namespace

std::string name_of_scrub_range(std::size_t range) {
  static constexpr const char* kNames[] = {"history", "versions", "sessions", "leases"};
  if (range >= kHistoryRange) return kNames[range - kHistoryRange];
  const char digit = "0123456789abcdef"[range];
  return std::string("keys ") + digit + "0.." + digit + "f";
}

void ScrubReading::add(const EngineRow& row) {
  const std::optional<Revision> revision = revision_of(row);
  if (row.space == Space::kMeta || (revision && *revision <= frozen_.position.compacted)) return;
  std::uint64_t& digest = digests_[range_of(row)];
  digest = base::Hasher().add(digest).add(row.key).add(row.value).value();
}

base::Result<bool> ScrubReading::advance(std::size_t slice_bytes) {
  auto page = frozen_.rows->read(cursor_, slice_bytes);
  if (!page) return page.status();
  for (const EngineRow& row : page->rows) add(row);
  if (page->next) {
    cursor_ = std::move(*page->next);
    return true;
  }
  // Of every entry and its effects: history has it all.
  digests_[kHistoryRange] =
      base::Hasher().add(digests_[kHistoryRange]).add(frozen_.position.digest).value();
  frozen_.rows.reset();
  return false;
}

}  // namespace kv
