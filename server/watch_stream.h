// What a watch hub (watch_hub.h) keeps of each watch and of each stream of them. Door thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "server/watch_hub.h"

namespace server {

struct WatchHub::Watch {
  kv::KeyRange range;
  bool previous = false;
  bool no_puts = false;
  bool no_deletes = false;
  kv::Revision from;     // as it was asked for; 0: from now on
  kv::Revision told;     // what its last batch said
  kv::Revision through;  // up to where nothing is left to tell
  WatchRing::GroupPtr group;

  bool wants(const kv::Change& change) const {
    return change.event.deleted ? !no_deletes : !no_puts;
  }
};

/// What is told to one watch. `changes` live as long as what they were collected from.
struct WatchHub::Batch {
  std::uint64_t watch = 0;
  kv::Revision previous{}, revision{};
  std::vector<const kv::Change*> changes{};
  bool with_previous = false;
  base::Status end{};     // not ok: the watch has ended
  kv::Revision resume{};  // of one that has ended
};

/// Watches that share one flow.
class WatchHub::Stream {
 public:
  explicit Stream(std::uint64_t its_number) : number(its_number) {}
  virtual ~Stream() noexcept(false) = default;
  /// Tells the batches; done() is called once they were taken. Requires: !busy.
  virtual void tell(WatchHub& hub, const std::vector<Batch>& batches) = 0;
  /// The same to who does not take what it was told before, without waiting.
  virtual void tell_last(WatchHub& hub, const std::vector<Batch>& batches) = 0;
  /// Whether a mark without changes is to be told now.
  virtual bool wants_mark(std::uint64_t now_ms) const = 0;

  const std::uint64_t number;
  std::map<std::uint64_t, Watch> watches;
  bool busy = false;      // a batch is under way
  bool catching = false;  // a slice of the history was asked for
  std::uint64_t told_ms = 0;
};

/// To a capability of the client.
class WatchHub::Push final : public Stream {
 public:
  Push(std::uint64_t its_number, schema::WatchReceiver::Client receiver,
       std::shared_ptr<WatchHub*> owner)
      : Stream(its_number), receiver_(kj::mv(receiver)), owner_(std::move(owner)) {}
  void tell(WatchHub& hub, const std::vector<Batch>& batches) override;
  void tell_last(WatchHub& hub, const std::vector<Batch>& batches) override;
  bool wants_mark(std::uint64_t now_ms) const override { return now_ms - told_ms >= kMarkEveryMs; }

 private:
  kj::Promise<void> take(WatchHub& hub, const std::vector<Batch>& batches);

  schema::WatchReceiver::Client receiver_;
  const std::shared_ptr<WatchHub*> owner_;
};

/// The answer to one call of Holdfast.events.
class WatchHub::Poll final : public Stream {
 public:
  Poll(std::uint64_t its_number, EventsContext context,
       kj::Own<kj::PromiseFulfiller<void>> fulfiller, std::uint64_t until_ms)
      : Stream(its_number), context_(context), fulfiller_(kj::mv(fulfiller)), until_ms_(until_ms) {}
  void tell(WatchHub& hub, const std::vector<Batch>& batches) override;
  void tell_last(WatchHub& hub, const std::vector<Batch>& batches) override { tell(hub, batches); }
  bool wants_mark(std::uint64_t now_ms) const override { return now_ms >= until_ms_; }

 private:
  EventsContext context_;
  kj::Own<kj::PromiseFulfiller<void>> fulfiller_;
  const std::uint64_t until_ms_;
};

}  // namespace server
