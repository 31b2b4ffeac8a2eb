#include "server/snapshot_exports.h"

#include <utility>

#include "base/hash.h"
#include "server/apply_thread.h"
#include "server/clock.h"
#include "server/disk_thread.h"
#include "server/wire.h"

namespace server {

using base::Code;
using base::Result;
using base::Status;
using Source = storage::SnapshotFileSource;
using Part = Result<Source::Part>;

namespace {

template <class Results>
void refuse(const Status& status, Results to) {
  to.setCode(static_cast<std::uint16_t>(status.code()));
  to.setDetail(status.detail());
}

}  // namespace

struct SnapshotExports::Export {
  std::shared_ptr<Source> source;                                // once it is frozen
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> opening;        // until then
  kj::Maybe<kj::Own<kj::PromiseFulfiller<kj::Own<Part>>>> part;  // that is being read
  std::uint64_t used_ms = 0;
};

class SnapshotExports::Capability final : public schema::Snapshot::Server {
 public:
  Capability(std::shared_ptr<SnapshotExports*> owner, std::uint64_t id)
      : owner_(std::move(owner)), id_(id) {}
  ~Capability() noexcept {
    if (*owner_ != nullptr) (*owner_)->drop(id_);
  }
  kj::Promise<void> read(ReadContext context) override {
    KJ_REQUIRE(*owner_ != nullptr, "the door is closed");
    return (*owner_)->read(id_, context);
  }

 private:
  const std::shared_ptr<SnapshotExports*> owner_;
  const std::uint64_t id_;
};

SnapshotExports::SnapshotExports(const NodeView& view, Post post)
    : view_(view), post_(std::move(post)), self_(std::make_shared<SnapshotExports*>(this)) {}

SnapshotExports::~SnapshotExports() {
  *self_ = nullptr;
}

Status SnapshotExports::admit() const {
  const auto status = view_.board->read();
  const raft::CoreStatus& core = status->replica.core;
  if (core.quarantined) return {Code::kQuarantined, core.quarantine_reason};
  if (core.needs_snapshot) {
    return {Code::kUnavailable, "this member's state is not whole: it waits for a snapshot itself"};
  }
  if (exports_.size() >= kMost) {
    return {Code::kOverloaded, std::to_string(kMost) + " snapshots are being read already"};
  }
  return Status::ok();
}

kj::Promise<void> SnapshotExports::open(Context context) {
  if (const Status status = admit(); !status.is_ok()) {
    refuse(status, context.getResults());
    return kj::READY_NOW;
  }
  const std::uint64_t id = next_id_++;
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto added = std::make_unique<Export>();
  added->opening = kj::mv(paf.fulfiller);
  added->used_ms = boot_ms();
  exports_.emplace(id, std::move(added));
  // Held from here on, so that a client that goes away meanwhile ends the export.
  schema::Snapshot::Client capability = kj::heap<Capability>(self_, id);
  view_.apply->freeze([id, post = post_, cluster = view_.config->cluster,
                       member = view_.config->self](kv::StateSnapshot frozen) {
    post({id, std::make_shared<Source>(std::move(frozen), cluster, member, wall_ms())});
  });
  return paf.promise.then([this, id, context, capability]() mutable {
    const auto at = exports_.find(id);
    KJ_REQUIRE(at != exports_.end(), "the snapshot was given up");
    auto results = context.getResults();
    const kv::Position& position = at->second->source->header().position;
    if (!position.applied) {
      return refuse({Code::kUnavailable, "nothing has been applied at this member yet"}, results);
    }
    Header header = header_of(view_);
    header.generation = position.generation;
    header.revision = position.revision;
    header.time = position.time;
    header.applied = position.applied;
    header.hash = position.hash;
    write_header(header, results.initHeader());
    results.setSnapshot(kj::mv(capability));
  });
}

kj::Promise<void> SnapshotExports::read(std::uint64_t id, ReadContext context) {
  const auto at = exports_.find(id);
  KJ_REQUIRE(at != exports_.end(), "nobody has read this snapshot for too long: it is gone");
  Export& each = *at->second;
  KJ_REQUIRE(each.part == nullptr && each.source != nullptr, "one part at a time");
  auto paf = kj::newPromiseAndFulfiller<kj::Own<Part>>();
  each.part = kj::mv(paf.fulfiller);
  each.used_ms = boot_ms();
  view_.disk->read_part(each.source, [id, post = post_](Part part) {
    post({id, std::move(part)});
  });
  return paf.promise.then([context](kj::Own<Part> part) mutable {
    auto results = context.getResults();
    if (!part->is_ok()) return refuse(part->status(), results);
    const std::string& data = (*part)->data;
    results.setData(kj::arrayPtr(reinterpret_cast<const kj::byte*>(data.data()), data.size()));
    results.setChecksum(base::hash64(data));
    results.setDone((*part)->done);
  });
}

void SnapshotExports::done(SnapshotExportDone done) {
  const auto at = exports_.find(done.id);
  auto* source = std::get_if<std::shared_ptr<Source>>(&done.what);
  if (at == exports_.end()) {
    if (source != nullptr) view_.disk->read_part(std::move(*source), nullptr);
    return;
  }
  Export& each = *at->second;
  each.used_ms = boot_ms();
  if (source != nullptr) {
    each.source = std::move(*source);
    KJ_IF_MAYBE (opening, each.opening) (*opening)->fulfill();
    each.opening = nullptr;
    return;
  }
  KJ_IF_MAYBE (part, each.part) {
    auto fulfiller = kj::mv(*part);
    each.part = nullptr;
    fulfiller->fulfill(kj::heap<Part>(std::get<Part>(std::move(done.what))));
  }
}

void SnapshotExports::drop(std::uint64_t id) {
  const auto at = exports_.find(id);
  if (at == exports_.end()) return;
  const std::unique_ptr<Export> gone = std::move(at->second);
  exports_.erase(at);
  if (gone->source != nullptr) view_.disk->read_part(std::move(gone->source), nullptr);
}

void SnapshotExports::expire(std::uint64_t now_ms) {
  for (auto at = exports_.begin(); at != exports_.end();) {
    const std::uint64_t id = at->first;
    const bool busy = at->second->source == nullptr || at->second->part != nullptr;
    const bool idle = !busy && now_ms >= at->second->used_ms + kIdleMs;
    ++at;
    if (idle) drop(id);
  }
}

}  // namespace server
