// The disk thread: the watermark's sync, loads from the log, cutting it, the mark of quarantine,
// and snapshots coming and going (DESIGN section 4). Delays neither log nor apply.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "kv/scrub.h"
#include "raft/core.h"
#include "server/events.h"
#include "server/log_sink.h"
#include "server/snapshot_transfers.h"
#include "server/space_probe.h"
#include "server/stamps.h"
#include "server/work_queue.h"
#include "storage/log_store.h"
#include "storage/snapshot_file.h"

namespace server {

/// Invariants:
/// - the watermark is synced about every kWatermarkMs, however much other work there is;
/// - a failed write or sync is final, as on the log thread; a failed load is answered with nothing
///   unless the log is corrupt.
class DiskThread {
 public:
  static constexpr std::uint32_t kWatermarkMs = 100;
  using GivePart = std::function<void(base::Result<storage::SnapshotFileSource::Part>)>;

  /// `begin`: as of SnapshotTransfers.
  DiskThread(storage::LogStore& log, SnapshotTransfers::Begin begin, PostToLoop post, Fatal fatal,
             Stamp& stamp, LogSink& lines, SpaceProbe& space);

  // Any thread; none waits for the disk.
  void load(raft::LoadRequest request) { queue_.push(std::move(request)); }
  void cut(base::Index through, base::Term term, base::ChainHash hash) {
    queue_.push(CutWork{through, term, hash});
  }
  void quarantine(std::string reason) { queue_.push(QuarantineWork{std::move(reason)}); }
  void send_snapshot(base::MemberId peer, kv::StateSnapshot frozen) {
    queue_.push(OpenWork{peer, std::move(frozen)});
  }
  void read_snapshot(raft::SnapshotReadRequest request) { queue_.push(std::move(request)); }
  void drop_snapshot(base::MemberId peer) { queue_.push(DropWork{peer}); }
  void store_snapshot(raft::SnapshotStoreRequest request) { queue_.push(std::move(request)); }
  /// Gives the store that is complete to `take`.
  void take_snapshot(std::function<void(std::unique_ptr<kv::IncomingEngine>)> take) {
    queue_.push(TakeWork{std::move(take)});
  }

  /// The next part of a snapshot file goes to `give`, on the disk thread. Without `give` the frozen
  /// state is let go.
  void read_part(std::shared_ptr<storage::SnapshotFileSource> source, GivePart give) {
    queue_.push(PartWork{std::move(source), std::move(give)});
  }

  /// Takes digests of a frozen state, slowly; then ScrubbedEvent. One before it that has not ended
  /// is given up.
  void scrub(kv::StateSnapshot frozen) { queue_.push(ScrubWork{std::move(frozen)}); }
  /// Marks the own state as one to be put aside, and ends the node.
  void discard_state(std::string member_directory, std::string reason) {
    queue_.push(DiscardWork{std::move(member_directory), std::move(reason)});
  }

  /// The thread's life: returns after stop(), a drained queue and a last sync, or after an error.
  void run();
  /// Any thread.
  void stop() { queue_.stop(); }

 private:
  struct CutWork {
    base::Index through;
    base::Term term;
    base::ChainHash hash;
  };
  struct QuarantineWork {
    std::string reason;
  };
  struct OpenWork {
    base::MemberId peer;
    kv::StateSnapshot frozen;
  };
  struct DropWork {
    base::MemberId peer;
  };
  struct TakeWork {
    std::function<void(std::unique_ptr<kv::IncomingEngine>)> take;
  };
  struct ScrubWork {
    kv::StateSnapshot frozen;
  };
  struct DiscardWork {
    std::string member_directory, reason;
  };
  struct PartWork {
    std::shared_ptr<storage::SnapshotFileSource> source;
    GivePart give;
  };
  using Work = std::variant<raft::LoadRequest, CutWork, QuarantineWork, OpenWork,
                            raft::SnapshotReadRequest, DropWork, raft::SnapshotStoreRequest,
                            TakeWork, PartWork, ScrubWork, DiscardWork>;

  base::Status serve(Work& work);
  base::Status serve_load(const raft::LoadRequest& request);
  base::Status serve_cut(const CutWork& work);
  base::Status serve_snapshot(Work& work);
  base::Status serve_discard(const DiscardWork& work);
  void continue_scrub();
  void tell(raft::SnapshotRead read);
  base::Status sync_if_due();

  storage::LogStore& log_;
  const PostToLoop post_;
  const Fatal fatal_;
  Stamp& stamp_;
  LogSink& lines_;
  SpaceProbe& space_;
  SnapshotTransfers transfers_;
  std::uint64_t next_sync_ms_ = 0;
  std::optional<kv::ScrubReading> scrub_;
  std::uint64_t next_scrub_ms_ = 0;
  WorkQueue<Work> queue_;
};

}  // namespace server
