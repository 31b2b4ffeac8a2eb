// Snapshot files on their way to clients: a state that the apply thread froze, read by the disk
// thread part by part as the client asks for it. Door thread for everything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <variant>

#include "base/status.h"
#include "schema/client.capnp.h"
#include "server/node_view.h"
#include "storage/snapshot_file.h"

namespace server {

/// What the apply thread (a source) and the disk thread (a part) give back.
struct SnapshotExportDone {
  std::uint64_t id = 0;
  std::variant<std::shared_ptr<storage::SnapshotFileSource>,
               base::Result<storage::SnapshotFileSource::Part>>
      what;
};

/// Invariants:
/// - at most kMost frozen states at once, since each keeps from being freed what it holds;
/// - one part of each is in memory at most;
/// - a state is let go on the disk thread, since that may wait for a read.
class SnapshotExports {
 public:
  static constexpr std::size_t kMost = 4;
  static constexpr std::uint64_t kIdleMs = 60'000;
  /// Any thread; brings the value to done() on the door thread.
  using Post = std::function<void(SnapshotExportDone)>;
  using Context =
      capnp::CallContext<schema::Holdfast::SnapshotParams, schema::Holdfast::SnapshotResults>;

  /// `view` and the object behind `post` outlive this.
  SnapshotExports(const NodeView& view, Post post);
  ~SnapshotExports();

  /// Answers Holdfast.snapshot. Refused: kQuarantined; kUnavailable: there is no whole state here;
  /// kOverloaded.
  kj::Promise<void> open(Context context);
  void done(SnapshotExportDone done);
  /// Ends what nobody has read for kIdleMs.
  void expire(std::uint64_t now_ms);
  std::size_t size() const { return exports_.size(); }

 private:
  class Capability;
  struct Export;
  using ReadContext =
      capnp::CallContext<schema::Snapshot::ReadParams, schema::Snapshot::ReadResults>;

  base::Status admit() const;
  kj::Promise<void> read(std::uint64_t id, ReadContext context);
  void drop(std::uint64_t id);

  const NodeView& view_;
  const Post post_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Export>> exports_;
  /// Of the capabilities, which clients may hold for longer than this lives.
  std::shared_ptr<SnapshotExports*> self_;
};

}  // namespace server
