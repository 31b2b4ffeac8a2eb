// Watches of a client (DESIGN section 5.8): changes of keys as they happen, each once, in order,
// whole revisions at a time, across whatever becomes of the members. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <kj/async.h>

#include "base/ids.h"
#include "base/status.h"
#include "client/options.h"
#include "client/outcome.h"
#include "kv/types.h"
#include "net/loop.h"

namespace client {

struct WatchOptions {
  kv::KeyRange range;
  base::Revision from{};  // the first revision that is told of; 0: from the next one on
  bool previous = false;  // with what was there before, where it is still kept
  bool no_puts = false;
  bool no_deletes = false;
};

struct WatchEvent {
  kv::Event event;
  std::optional<kv::KeyValue> previous;
};

/// All that there is to tell of the revisions above `previous`, up to `revision`. Without events: a
/// mark of progress.
struct WatchBatch {
  base::Revision previous, revision;
  std::vector<WatchEvent> events;
  Header header;
};

/// Any number of watches over one connection to some member, which is changed when it breaks, falls
/// silent or says that it can not go on.
/// Invariants:
/// - a batch is handed on only if it names the revision that the watch was last told of: a gap is
///   taken for a fault of the member, and the watch is resumed at another;
/// - at most one batch of a watch is with its callback, and about kWaitingBytes wait for it; a
/// watch
///   whose callback is slower than that is cancelled at the member and resumed later, from the
///   history, so that it holds up no other and costs no more memory.
class Watcher {
 public:
  static constexpr std::size_t kWaitingBytes = 256 << 10;  // a watch
  /// The next batch comes once the promise is done.
  using OnBatch = std::function<kj::Promise<void>(WatchBatch&& batch)>;
  /// kCompacted, kTooLarge: what comes next was given up; it can go on at `resume`. Others: the
  /// watch can not be served. kRolledBack: the cluster has gone back to before what was seen.
  using OnEnd = std::function<void(const base::Status& why, base::Revision resume)>;
  /// For people: why the member is left.
  using OnTrouble = std::function<void(const base::Status& why)>;

  Watcher(net::Loop& loop, const Options& options, OnTrouble on_trouble = nullptr);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// Returns its id, for cancel().
  std::uint64_t watch(WatchOptions options, OnBatch on_batch, OnEnd on_end);
  void cancel(std::uint64_t id);
  std::size_t size() const;
  /// How often a watch was paused since its callback was slow.
  std::uint64_t pauses() const;
  /// How often all watches were resumed at another connection.
  std::uint64_t resumed() const;
  /// Batches that did not follow what was told before; each made the member be left.
  std::uint64_t gaps() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace client
