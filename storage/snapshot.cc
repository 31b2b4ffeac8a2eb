#include "storage/snapshot.h"

#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace storage {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kChecksumBytes = 8;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

void put(std::string& out, const std::string& text) {
  put(out, text.size(), 4);
  out += text;
}

/// The bytes, and their checksum at the end of them.
std::pair<std::string, std::uint64_t> encode_chunk(std::uint64_t number,
                                                   std::uint64_t checksum_before,
                                                   const std::vector<kv::EngineRow>& rows) {
  std::string out;
  put(out, kFormat, 1);
  put(out, number, 8);
  put(out, checksum_before, 8);
  put(out, rows.size(), 4);
  for (const kv::EngineRow& row : rows) {
    put(out, static_cast<std::uint64_t>(row.space), 1);
    put(out, row.key);
    put(out, row.value);
  }
  const std::uint64_t checksum = base::hash64(out);
  put(out, checksum, kChecksumBytes);
  return {std::move(out), checksum};
}

/// Takes numbers and texts from the front; after a failure everything fails.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const std::string_view from = take(size);
    for (std::size_t i = 0; i < from.size(); ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
    }
    return value;
  }
  std::string text() { return std::string(take(number(4))); }

 private:
  std::string_view take(std::size_t size) {
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::string_view bytes_;
  bool ok_ = true;
};

Status corrupt(std::uint64_t number, const std::string& why) {
  return {Code::kCorrupt, "chunk " + std::to_string(number) + " of a snapshot " + why};
}

bool before(const kv::EngineCursor& last, const kv::EngineRow& row) {
  return last.space != row.space ? last.space < row.space : last.key < row.key;
}

}  // namespace

raft::SnapshotMeta meta_of(const kv::Position& position) {
  return {position.applied, position.term, position.hash, position.time, position.configuration};
}

SnapshotReader::SnapshotReader(kv::StateSnapshot snapshot, std::size_t chunk_bytes)
    : snapshot_(std::move(snapshot)), chunk_bytes_(chunk_bytes), places_{Place()} {}

Result<SnapshotReader::Chunk> SnapshotReader::read(std::uint64_t number) {
  if (number >= places_.size()) {
    return Status(Code::kInvalidArgument, "the snapshot has no chunk " + std::to_string(number));
  }
  const Place place = places_[number];
  auto page = snapshot_.rows->read(place.cursor, chunk_bytes_);
  if (!page.is_ok()) return page.status();
  auto [bytes, checksum] = encode_chunk(number, place.checksum_before, page->rows);
  const bool newest = number + 1 == places_.size();
  if (newest && page->next) places_.push_back({*page->next, checksum});
  return Chunk{std::make_shared<const std::string>(std::move(bytes)), !page->next.has_value()};
}

Status SnapshotWriter::add(const std::string& chunk) {
  if (chunk.size() < kChecksumBytes) return corrupt(next_, "is too short");
  const std::string_view body = std::string_view(chunk).substr(0, chunk.size() - kChecksumBytes);
  const std::uint64_t checksum =
      Reader(std::string_view(chunk).substr(body.size())).number(kChecksumBytes);
  if (base::hash64(body) != checksum) return corrupt(next_, "fails its checksum");
  Reader reader(body);
  if (const auto format = reader.number(1); format != kFormat) {
    return {Code::kNewerFormat, "a snapshot of format " + std::to_string(format)};
  }
  const bool follows = reader.number(8) == next_ && reader.number(8) == checksum_before_;
  if (!follows) return corrupt(next_, "is another one");
  std::vector<kv::EngineRow> rows;
  auto last = last_;
  for (std::uint64_t left = reader.number(4); reader.ok() && left > 0; --left) {
    const std::uint64_t space = reader.number(1);
    kv::EngineRow row;
    row.key = reader.text();
    row.value = reader.text();
    if (!reader.ok() || space >= kv::kSpaces) return corrupt(next_, "cannot be decoded");
    row.space = static_cast<kv::Space>(space);
    if (last && !before(*last, row)) return corrupt(next_, "is not sorted");
    last = kv::EngineCursor{row.space, row.key};
    rows.push_back(std::move(row));
  }
  if (!reader.at_end()) return corrupt(next_, "cannot be decoded");
  if (Status status = incoming_->add(rows); !status.is_ok()) return status;
  last_ = std::move(last);
  checksum_before_ = checksum;
  ++next_;
  return Status::ok();
}

Result<std::unique_ptr<kv::IncomingEngine>> SnapshotWriter::finish(const raft::SnapshotMeta& meta) {
  auto position = kv::adopt_rows(*incoming_);
  if (!position.is_ok()) return position.status();
  if (meta_of(position.value()) != meta) {
    return Status(Code::kCorrupt, "a snapshot at entry " + std::to_string(meta.index.value) +
                                      " holds the state at another: entry " +
                                      std::to_string(position->applied.value));
  }
  if (Status status = incoming_->finish(); !status.is_ok()) return status;
  return std::move(incoming_);
}

}  // namespace storage
