#include "storage/watermark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/hash.h"
#include "storage/bytes.h"
#include "storage/faults.h"

namespace storage {
namespace {

using base::Status;

/// Each slot has a page of its own, so that no torn write reaches both.
constexpr std::size_t kSlotSpacingBytes = 4096;
constexpr std::uint64_t kSlotMagic = 0x746f6c732d6668;  // "hf-slot"
constexpr std::size_t kSlotBytes = 8 + 8 + 4 * 8 + 4 * 8 + 8;

std::string encode_slot(const Slot& slot) {
  ByteWriter bytes;
  bytes.u64(kSlotMagic).u64(slot.sequence);
  bytes.ordinal(slot.claim.ordinal).u64(slot.claim.last.value).u64(slot.claim.term.value);
  bytes.u64(slot.hard_state.term.value).u64(slot.hard_state.vote.value);
  bytes.u64(slot.hard_state.vote_opening.epoch).u64(slot.hard_state.vote_opening.nonce);
  bytes.u64(base::hash64(bytes.view()));
  return bytes.take();
}

std::optional<Slot> decode_slot(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u64() != kSlotMagic) return std::nullopt;
  Slot slot;
  slot.sequence = reader.u64();
  slot.claim.ordinal = reader.ordinal();
  slot.claim.last = base::Index(reader.u64());
  slot.claim.term = base::Term(reader.u64());
  slot.hard_state.term = base::Term(reader.u64());
  slot.hard_state.vote = base::MemberId(reader.u64());
  slot.hard_state.vote_opening.epoch = reader.u64();
  slot.hard_state.vote_opening.nonce = reader.u64();
  const std::uint64_t checksum = reader.u64();
  if (!reader.ok() || checksum != base::hash64(bytes.substr(0, kSlotBytes - 8))) {
    return std::nullopt;
  }
  return slot;
}

}  // namespace

base::Result<std::optional<Slot>> Watermark::read(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes) return bytes.status();
  std::optional<Slot> newest;
  if (!bytes.value()) return newest;
  const std::string_view file(*bytes.value());
  for (std::size_t at = 0; at < file.size(); at += kSlotSpacingBytes) {
    const auto slot = decode_slot(file.substr(at, kSlotBytes));
    if (slot && (!newest || newest->sequence < slot->sequence)) newest = slot;
  }
  return newest;
}

Watermark::Watermark(std::string path, File file, VolumeFaults* faults)
    : path_(std::move(path)), file_(std::move(file)), faults_(faults) {}

base::Result<std::unique_ptr<Watermark>> Watermark::open(const std::string& path, const Slot& state,
                                                         VolumeFaults* faults) {
  auto file = File::open(path, O_RDWR | O_CREAT);
  if (!file) return file.status();
  std::unique_ptr<Watermark> watermark(new Watermark(path, std::move(file).value(), faults));
  watermark->sequence_ = state.sequence;
  // One after the other, so that at any time one whole slot says this or what was said before.
  for (int i = 0; i < 2; ++i) {
    Status status = watermark->write(state.claim, state.hard_state);
    if (status.is_ok()) status = watermark->sync();
    if (!status.is_ok()) return status;
  }
  return watermark;
}

Status Watermark::write(const Claim& claim, const raft::HardState& hard_state) {
  if (const int fault = before_write(faults_)) return file_error("write", path_, fault);
  ++sequence_;
  return write_at(file_, path_, encode_slot({sequence_, claim, hard_state}),
                  sequence_ % 2 * kSlotSpacingBytes);
}

Status Watermark::sync() {
  if (const int fault = before_sync(faults_)) return file_error("sync", path_, fault);
  if (::fdatasync(file_.descriptor()) != 0) return file_error("sync", path_, errno);
  return Status::ok();
}

}  // namespace storage
