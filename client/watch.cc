#include "client/watch.h"

#include <deque>
#include <map>
#include <utility>

#include <kj/vector.h>

#include "client/channel.h"
#include "client/roamer.h"
#include "client/wire.h"
#include "schema/codec.h"

namespace client {
namespace {

using base::Code;
using base::Revision;
using base::Status;

constexpr std::uint32_t kTickMs = 100;
constexpr std::uint64_t kRestMs = 50;  // between two connections
/// A member that has nothing to tell says so twice a second.
constexpr std::uint64_t kSilentFactor = 5;  // of Options::silence_ms

}  // namespace

class Watcher::Impl final : private kj::TaskSet::ErrorHandler {
 public:
  Impl(net::Loop& loop, const Options& options, OnTrouble on_trouble)
      : loop_(loop),
        roamer_(loop, options),
        silent_ms_(options.silence_ms * kSilentFactor),
        on_trouble_(std::move(on_trouble)),
        self_(std::make_shared<Impl*>(this)),
        tasks_(*this) {
    tick();
  }
  ~Impl() noexcept(false) { *self_ = nullptr; }

  std::uint64_t watch(WatchOptions options, OnBatch on_batch, OnEnd on_end) {
    const std::uint64_t id = ++last_id_;
    Watch& watch = watches_[id];
    watch.options = std::move(options);
    if (watch.options.from) watch.told = Revision(watch.options.from.value - 1);
    watch.on_batch = std::make_shared<OnBatch>(std::move(on_batch));
    watch.on_end = std::move(on_end);
    if (stream_ != nullptr) {
      add(id);
    } else {
      connect();
    }
    return id;
  }
  void cancel(std::uint64_t id) {
    const auto at = watches_.find(id);
    if (at == watches_.end()) return;
    cancel_at_member(at->second);
    watches_.erase(at);
  }
  std::uint64_t pauses() const { return pauses_; }
  std::size_t size() const { return watches_.size(); }
  std::uint64_t resumed() const { return resumed_; }
  std::uint64_t gaps() const { return gaps_; }

 private:
  struct Watch {
    WatchOptions options;
    std::shared_ptr<OnBatch> on_batch;  // shared: it may cancel its own watch
    OnEnd on_end;
    std::optional<std::pair<Status, Revision>> end{};  // once what waits was handed on
    std::optional<Revision> told;  // nothing: it begins where the first member says
    std::uint64_t wire = 0;        // its id at the member; 0: it is not there
    bool busy = false;             // a batch is with its callback
    std::deque<WatchBatch> waiting{};
    std::size_t waiting_bytes = 0;
  };
  /// One connection's; what comes over an older one is not listened to.
  struct Stream {
    LinePtr line;
    schema::WatchStream::Client stream;
    std::uint64_t heard_ms = 0;
  };
  using StreamPtr = std::shared_ptr<Stream>;

  class Receiver final : public schema::WatchReceiver::Server {
   public:
    Receiver(std::shared_ptr<Impl*> owner, std::uint64_t number)
        : owner_(std::move(owner)), number_(number) {}
    kj::Promise<void> take(TakeContext context) override {
      if (*owner_ == nullptr || (*owner_)->number_ != number_) return kj::READY_NOW;
      (*owner_)->take(context.getParams());
      return kj::READY_NOW;
    }

   private:
    const std::shared_ptr<Impl*> owner_;
    const std::uint64_t number_;
  };

  void connect() {
    if (connecting_ || stream_ != nullptr || watches_.empty()) return;
    connecting_ = true;
    began_ms_ = boot_clock_ms();
    const std::uint64_t number = ++number_;
    tasks_.add(roamer_.line().then([this, number](LinePtr line) { begin(number, line); },
                                   [this, number](kj::Exception&& exception) {
                                     failed(number, nullptr, describe(exception));
                                   }));
  }

  void begin(std::uint64_t number, const LinePtr& line) {
    if (number != number_) return;
    trying_ = line;
    auto request = line->member().watchRequest();
    request.setReceiver(kj::heap<Receiver>(self_, number));
    using Reply = capnp::Response<schema::Holdfast::WatchResults>;
    tasks_.add(request.send().then(
        [this, number, line](Reply&& reply) {
          if (number != number_) return;
          const Status status(static_cast<Code>(reply.getCode()), reply.getDetail().cStr());
          if (!status.is_ok()) return failed(number, line, status.to_string());
          connecting_ = false;
          trying_ = nullptr;
          stream_ = std::make_shared<Stream>(Stream{line, reply.getStream(), boot_clock_ms()});
          if (number > 1) ++resumed_;
          std::vector<std::uint64_t> ids;
          for (const auto& [id, watch] : watches_) ids.push_back(id);
          for (const std::uint64_t id : ids) resume(id);
        },
        [this, number, line](kj::Exception&& exception) {
          failed(number, line, describe(exception, line->address()));
        }));
  }

  void failed(std::uint64_t number, const LinePtr& line, const std::string& why) {
    if (number != number_) return;
    leave(line, Status(Code::kUnavailable, why));
  }

  /// Goes on at another member, after a moment.
  void leave(const LinePtr& line, const Status& why) {
    if (on_trouble_) on_trouble_(why);
    ++number_;
    wires_.clear();
    for (auto& [id, watch] : watches_) watch.wire = 0;
    connecting_ = false;
    trying_ = nullptr;
    if (stream_ != nullptr) tasks_.add(kj::evalLater([old = std::exchange(stream_, nullptr)] {}));
    roamer_.move_on(line);
    const std::uint64_t number = number_;
    tasks_.add(loop_.timer().afterDelay(kRestMs * kj::MILLISECONDS).then([this, number] {
      if (number == number_) connect();
    }));
  }

  void cancel_at_member(Watch& watch) {
    if (watch.wire == 0) return;
    wires_.erase(watch.wire);
    auto request = stream_->stream.cancelRequest();
    request.setWatch(std::exchange(watch.wire, 0));
    tasks_.add(request.send().ignoreResult());
  }

  /// If it is not at the member, and nothing waits for its callback.
  void resume(std::uint64_t id) {
    const auto at = watches_.find(id);
    if (at == watches_.end() || stream_ == nullptr) return;
    const Watch& watch = at->second;
    if (watch.wire == 0 && !watch.end && !watch.busy && watch.waiting.empty()) add(id);
  }

  void add(std::uint64_t id) {
    Watch& watch = watches_.at(id);
    watch.wire = ++last_wire_;
    wires_[watch.wire] = id;
    auto request = stream_->stream.addRequest();
    request.setWatch(watch.wire);
    auto to = request.initRequest();
    schema::write(watch.options.range, to.initRange());
    if (watch.told) to.setFrom(watch.told->value + 1);
    to.setPrevious(watch.options.previous);
    to.setNoPuts(watch.options.no_puts);
    to.setNoDeletes(watch.options.no_deletes);
    to.setGeneration(generation_);
    using Reply = capnp::Response<schema::WatchStream::AddResults>;
    tasks_.add(request.send().then(
        [this, id, number = number_](Reply&& reply) {
          const auto at = watches_.find(id);
          if (number != number_ || at == watches_.end()) return;
          const Status status(static_cast<Code>(reply.getCode()), reply.getDetail().cStr());
          if (!status.is_ok()) return refused(id, status, Revision(reply.getResume()));
          if (!at->second.told) at->second.told = Revision(reply.getRevision());
        },
        [this, number = number_](kj::Exception&& exception) {
          if (number == number_)
            leave(stream_->line, Status(Code::kUnavailable, describe(exception)));
        }));
  }

  /// The member can not go on with this watch: another may, unless it is the watch.
  void refused(std::uint64_t id, const Status& status, Revision resume) {
    if (status.retryable() || status.code() == Code::kQuarantined)
      return leave(stream_->line, status);
    Watch& watch = watches_.at(id);
    wires_.erase(std::exchange(watch.wire, 0));
    watch.end.emplace(status, resume);
    if (!watch.busy) end(id);
  }

  void end(std::uint64_t id) {
    const auto at = watches_.find(id);
    const OnEnd on_end = std::move(at->second.on_end);
    const auto [why, resume] = *at->second.end;
    watches_.erase(at);
    if (on_end) on_end(why, resume);
  }

  void take(schema::WatchReceiver::TakeParams::Reader params) {
    if (stream_ == nullptr) return;
    stream_->heard_ms = boot_clock_ms();
    const Header header = from_wire(params.getHeader());
    generation_ = header.generation;
    const std::uint64_t number = number_;
    for (auto from : params.getBatches()) {
      take(from, header);
      if (number != number_) break;
    }
  }

  void take(schema::WatchBatch::Reader from, const Header& header) {
    const auto wire = wires_.find(from.getWatch());
    if (wire == wires_.end()) return;  // it was cancelled
    const std::uint64_t id = wire->second;
    Watch& watch = watches_.at(id);
    const Revision previous(from.getPrevious());
    if (watch.told && *watch.told != previous) {
      ++gaps_;
      return leave(stream_->line,
                   Status(Code::kProtocol, "after revision " + std::to_string(watch.told->value) +
                                               " the member goes on after " +
                                               std::to_string(previous.value)));
    }
    WatchBatch batch{previous, Revision(from.getRevision()), {}, header};
    watch.told = batch.revision;
    for (auto each : from.getEvents()) {
      batch.events.push_back({schema::read(each.getEvent()), std::nullopt});
      if (each.getHasPrevious()) batch.events.back().previous = schema::read(each.getPrevious());
    }
    const Status status(static_cast<Code>(from.getCode()), from.getDetail().cStr());
    const Revision resume(from.getResume());
    const std::size_t bytes = from.totalSize().wordCount * sizeof(capnp::word);
    if (!batch.events.empty() || status.is_ok()) hand_on(id, std::move(batch), bytes);
    if (!status.is_ok() && watches_.contains(id)) refused(id, status, resume);
  }

  void hand_on(std::uint64_t id, WatchBatch&& batch, std::size_t bytes) {
    Watch& watch = watches_.at(id);
    if (!watch.busy) return run(id, std::move(batch));
    if (batch.events.empty() && !watch.waiting.empty()) {
      watch.waiting.back().revision = batch.revision;  // nothing but a mark
      return;
    }
    watch.waiting.push_back(std::move(batch));
    watch.waiting_bytes += bytes;
    if (watch.waiting_bytes <= kWaitingBytes) return;
    ++pauses_;
    cancel_at_member(watch);
  }

  void run(std::uint64_t id, WatchBatch&& batch) {
    Watch& watch = watches_.at(id);
    watch.busy = true;
    const std::shared_ptr<OnBatch> on_batch = watch.on_batch;
    tasks_.add(kj::evalNow([&] { return (*on_batch)(std::move(batch)); }).then([this, id] {
      const auto at = watches_.find(id);
      if (at == watches_.end()) return;
      at->second.busy = false;
      if (at->second.waiting.empty()) {
        at->second.waiting_bytes = 0;
        if (at->second.end) return end(id);
        return resume(id);
      }
      WatchBatch next = std::move(at->second.waiting.front());
      at->second.waiting.pop_front();
      run(id, std::move(next));
    }));
  }

  void tick() {
    tasks_.add(loop_.timer().afterDelay(kTickMs * kj::MILLISECONDS).then([this] {
      const std::uint64_t now_ms = boot_clock_ms();
      // If it was this process that slept, the silence was its own.
      const bool slept = now_ms > ticked_ms_ + silent_ms_ / 2;
      ticked_ms_ = now_ms;
      if (slept) began_ms_ = now_ms;
      if (slept && stream_ != nullptr) stream_->heard_ms = now_ms;
      if (stream_ != nullptr && !watches_.empty() && now_ms > stream_->heard_ms + silent_ms_) {
        leave(stream_->line, Status(Code::kUnavailable, stream_->line->address() + " is silent"));
      } else if (connecting_ && now_ms > began_ms_ + silent_ms_) {
        leave(trying_, Status(Code::kUnavailable, "the member does not answer"));
      }
      tick();
    }));
  }
  void taskFailed(kj::Exception&&) override {}

  net::Loop& loop_;
  Roamer roamer_;
  const std::uint64_t silent_ms_;
  const OnTrouble on_trouble_;
  std::map<std::uint64_t, Watch> watches_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::uint64_t> wires_;  // ids at the member to ours
  std::uint64_t last_wire_ = 0;
  std::uint64_t pauses_ = 0;
  std::uint64_t number_ = 0;  // of the connection, or of the attempt at one
  bool connecting_ = false;
  LinePtr trying_;  // that was asked for a stream
  std::uint64_t began_ms_ = 0;
  std::uint64_t ticked_ms_ = boot_clock_ms();
  StreamPtr stream_;
  std::uint64_t generation_ = 0;
  std::uint64_t resumed_ = 0;
  std::uint64_t gaps_ = 0;
  const std::shared_ptr<Impl*> self_;
  kj::TaskSet tasks_;
};

Watcher::Watcher(net::Loop& loop, const Options& options, OnTrouble on_trouble)
    : impl_(std::make_unique<Impl>(loop, options, std::move(on_trouble))) {}
Watcher::~Watcher() = default;

std::uint64_t Watcher::watch(WatchOptions options, OnBatch on_batch, OnEnd on_end) {
  return impl_->watch(std::move(options), std::move(on_batch), std::move(on_end));
}
void Watcher::cancel(std::uint64_t id) {
  impl_->cancel(id);
}
std::size_t Watcher::size() const {
  return impl_->size();
}
std::uint64_t Watcher::pauses() const {
  return impl_->pauses();
}
std::uint64_t Watcher::resumed() const {
  return impl_->resumed();
}
std::uint64_t Watcher::gaps() const {
  return impl_->gaps();
}

}  // namespace client
