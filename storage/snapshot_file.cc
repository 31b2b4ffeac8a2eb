#include "storage/snapshot_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "kv/row.h"
#include "storage/bytes.h"

namespace storage {
namespace {

using base::Code;
using base::Result;
using base::Status;

/// With both ends of line, so that a transfer as text is noticed at once.
constexpr std::string_view kMagic = "HOLDFAST\r\n\x1a\n";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kFixedBytes = kMagic.size() + 8 + 8;  // magic, version, size
constexpr std::size_t kBodyBytes = 3 * 8;                   // before the position
/// Above what any chunk needs: a larger size is damage, and not to be allocated.
constexpr std::uint64_t kMostChunkBytes = 64 << 20;

kv::Position without_claim(kv::Position position) {
  position.log_ordinal = base::Ordinal();
  return position;
}

std::string encode_header(const SnapshotFileHeader& header) {
  const std::string position = kv::encode_position(header.position);
  ByteWriter out;
  out.bytes(kMagic).u64(kVersion).u64(kBodyBytes + position.size());
  out.u64(header.cluster.value).u64(header.member.value).u64(header.created_ms).bytes(position);
  out.u64(base::hash64(out.view()));
  return out.take();
}

std::uint64_t number(std::string_view bytes) {
  return ByteReader(bytes).u64();
}

/// Counts rows instead of keeping them.
class RowCount final : public kv::IncomingEngine {
 public:
  explicit RowCount(SnapshotFileSummary& to) : to_(to) {}
  Status add(const std::vector<kv::EngineRow>& rows) override {
    for (const kv::EngineRow& row : rows) {
      if (row.space == kv::Space::kLatest) ++to_.keys;
      if (row.space == kv::Space::kHistory) ++to_.events;
      const bool session = row.space == kv::Space::kSessions;
      if (session && row.key.size() == kv::session_key({}).size()) ++to_.sessions;
      if (row.space == kv::Space::kMeta && row.key == kv::kPositionKey) position_ = row.value;
    }
    return Status::ok();
  }
  Result<std::optional<std::string>> get(kv::Space space, std::string_view key) override {
    if (space == kv::Space::kMeta && key == kv::kPositionKey) return position_;
    return std::optional<std::string>();
  }
  Status finish() override { return Status::ok(); }

 private:
  SnapshotFileSummary& to_;
  std::optional<std::string> position_;
};

}  // namespace

// ---- Writing ----

SnapshotFileSource::SnapshotFileSource(kv::StateSnapshot snapshot, base::ClusterId cluster,
                                       base::MemberId member, std::uint64_t created_ms,
                                       std::size_t chunk_bytes)
    : header_{cluster, member, created_ms, without_claim(snapshot.position)},
      reader_(std::move(snapshot), chunk_bytes) {}

Result<SnapshotFileSource::Part> SnapshotFileSource::next() {
  auto chunk = reader_.read(chunks_);
  if (!chunk) return chunk.status();
  ByteWriter out;
  if (chunks_ == 0) out.bytes(encode_header(header_));
  ++chunks_;
  out.u64(chunk->data->size()).bytes(*chunk->data);
  checksum_.add(out.view());
  if (chunk->done) out.u64(0).u64(chunks_).u64(checksum_.value());
  return Part{out.take(), chunk->done};
}

// ---- Reading ----

Result<SnapshotFile> SnapshotFile::open(const std::string& path) {
  auto file = File::open(path, O_RDONLY);
  if (!file) return file.status();
  SnapshotFile opened(path, std::move(file).value());
  if (Status status = opened.read_header(); !status.is_ok()) return status;
  return opened;
}

Status SnapshotFile::corrupt(std::uint64_t at, const std::string& why) const {
  return {Code::kCorrupt, path_ + ": at byte " + std::to_string(at) + ": " + why};
}

Result<std::string> SnapshotFile::read(std::size_t size, const std::string& what) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::read(file_.descriptor(), bytes.data() + got, size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("read", path_, errno);
    if (n == 0) return corrupt(at_ + got, "the file ends within " + what + ": it is truncated");
    got += static_cast<std::size_t>(n);
  }
  at_ += size;
  return bytes;
}

Status SnapshotFile::read_header() {
  auto fixed = read(kFixedBytes, "its header");
  if (!fixed) return fixed.status();
  if (!fixed->starts_with(kMagic)) return corrupt(0, "this is no snapshot of Holdfast");
  ByteReader numbers(std::string_view(fixed.value()).substr(kMagic.size()));
  if (const auto version = numbers.u64(); version != kVersion) {
    return {Code::kNewerFormat, path_ + ": a snapshot file of version " + std::to_string(version) +
                                    ", this program knows " + std::to_string(kVersion)};
  }
  const std::uint64_t size = numbers.u64();
  if (size < kBodyBytes || size > kMostChunkBytes) return corrupt(at_ - 8, "no header is so long");
  auto body = read(size, "its header");
  if (!body) return body.status();
  auto sum = read(8, "its header");
  if (!sum) return sum.status();
  if (number(sum.value()) != base::hash64(fixed.value() + body.value())) {
    return corrupt(0, "the header fails its checksum");
  }
  header_bytes_ = fixed.value() + body.value() + sum.value();
  ByteReader reader(body.value());
  header_.cluster = base::ClusterId(reader.u64());
  header_.member = base::MemberId(reader.u64());
  header_.created_ms = reader.u64();
  auto position = kv::decode_position(reader.rest());
  if (!position) return corrupt(kFixedBytes + kBodyBytes, position.status().detail());
  header_.position = std::move(position).value();
  return Status::ok();
}

Result<std::optional<std::string>> SnapshotFile::next() {
  const std::string what = "chunk " + std::to_string(chunks_);
  const std::uint64_t at = at_;
  auto size = read(8, what);
  if (!size) return size.status();
  const std::uint64_t chunk_bytes = number(size.value());
  if (chunk_bytes == 0) {
    if (Status status = read_end(); !status.is_ok()) return status;
    return std::optional<std::string>();
  }
  if (chunk_bytes > kMostChunkBytes) return corrupt(at, what + ": no chunk is so long");
  auto chunk = read(chunk_bytes, what);
  if (!chunk) return chunk.status();
  checksum_.add(std::exchange(header_bytes_, std::string()) + size.value() + chunk.value());
  ++chunks_;
  return std::optional(std::move(chunk).value());
}

Status SnapshotFile::read_end() {
  const std::uint64_t at = at_;
  auto end = read(16, "its end");
  if (!end) return end.status();
  if (number(end.value()) != chunks_) return corrupt(at, "chunks are missing");
  if (number(std::string_view(end.value()).substr(8)) != checksum_.value()) {
    return corrupt(at + 8, "the file fails the checksum at its end");
  }
  char more = 0;
  const ssize_t n = ::read(file_.descriptor(), &more, 1);
  if (n < 0) return file_error("read", path_, errno);
  return n == 0 ? Status::ok() : corrupt(at_, "there are bytes behind its end");
}

Result<std::unique_ptr<kv::IncomingEngine>> load_snapshot_file(
    SnapshotFile& file, std::unique_ptr<kv::IncomingEngine> incoming) {
  SnapshotWriter writer(std::move(incoming));
  for (;;) {
    const std::uint64_t at = file.bytes_read();
    auto chunk = file.next();
    if (!chunk) return chunk.status();
    if (!chunk.value()) break;
    if (Status status = writer.add(*chunk.value()); !status.is_ok()) {
      return Status(status.code(),
                    file.path() + ": at byte " + std::to_string(at) + ": " + status.detail());
    }
  }
  return writer.finish(meta_of(file.header().position));
}

Result<SnapshotFileSummary> summarize_snapshot_file(const std::string& path) {
  auto file = SnapshotFile::open(path);
  if (!file) return file.status();
  SnapshotFileSummary summary;
  summary.header = file->header();
  auto loaded = load_snapshot_file(file.value(), std::make_unique<RowCount>(summary));
  if (!loaded) return loaded.status();
  auto row = loaded.value()->get(kv::Space::kMeta, kv::kPositionKey);
  if (!row) return row.status();
  auto position = kv::decode_position(row.value().value_or(""));
  if (!position) return position.status();
  if (position.value() != summary.header.position) {
    return Status(Code::kCorrupt, path + ": the header says another position than the state in it");
  }
  summary.chunks = file->chunks();
  summary.bytes = file->bytes_read();
  return summary;
}

}  // namespace storage
