#include "client/watch.h"

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
    watch.on_batch = std::move(on_batch);
    watch.on_end = std::move(on_end);
    if (stream_ != nullptr) {
      add(id);
    } else {
      connect();
    }
    return id;
  }
  void cancel(std::uint64_t id) {
    if (watches_.erase(id) == 0 || stream_ == nullptr) return;
    auto request = stream_->stream.cancelRequest();
    request.setWatch(id);
    tasks_.add(request.send().ignoreResult());
  }
  std::size_t size() const { return watches_.size(); }
  std::uint64_t resumed() const { return resumed_; }
  std::uint64_t gaps() const { return gaps_; }

 private:
  struct Watch {
    WatchOptions options;
    OnBatch on_batch;
    OnEnd on_end;
    std::optional<Revision> told;  // nothing: it begins where the first member says
  };
  /// One connection's; what comes over an older one is not listened to.
  struct Stream {
    LinePtr line;
    schema::WatchStream::Client stream;
    std::uint64_t heard_ms = 0;
    bool taking = false;  // the member waits until what it told is taken, and says nothing
  };
  using StreamPtr = std::shared_ptr<Stream>;

  class Receiver final : public schema::WatchReceiver::Server {
   public:
    Receiver(std::shared_ptr<Impl*> owner, std::uint64_t number)
        : owner_(std::move(owner)), number_(number) {}
    kj::Promise<void> take(TakeContext context) override {
      if (*owner_ == nullptr || (*owner_)->number_ != number_) return kj::READY_NOW;
      return (*owner_)->take(context);
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
          stream_ =
              std::make_shared<Stream>(Stream{line, reply.getStream(), boot_clock_ms(), false});
          if (number > 1) ++resumed_;
          std::vector<std::uint64_t> ids;
          for (const auto& [id, watch] : watches_) ids.push_back(id);
          for (const std::uint64_t id : ids) add(id);
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
    connecting_ = false;
    trying_ = nullptr;
    if (stream_ != nullptr) tasks_.add(kj::evalLater([old = std::exchange(stream_, nullptr)] {}));
    roamer_.move_on(line);
    const std::uint64_t number = number_;
    tasks_.add(loop_.timer().afterDelay(kRestMs * kj::MILLISECONDS).then([this, number] {
      if (number == number_) connect();
    }));
  }

  void add(std::uint64_t id) {
    const Watch& watch = watches_.at(id);
    auto request = stream_->stream.addRequest();
    request.setWatch(id);
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
    const OnEnd on_end = std::move(watches_.at(id).on_end);
    watches_.erase(id);
    if (on_end) on_end(status, resume);
  }

  kj::Promise<void> take(
      capnp::CallContext<schema::WatchReceiver::TakeParams, schema::WatchReceiver::TakeResults>
          context) {
    if (stream_ == nullptr) return kj::READY_NOW;
    stream_->taking = true;
    const auto params = context.getParams();
    const Header header = from_wire(params.getHeader());
    generation_ = header.generation;
    kj::Vector<kj::Promise<void>> taken;
    const std::uint64_t number = number_;
    for (auto from : params.getBatches()) {
      taken.add(take(from, header));
      if (number != number_) break;
    }
    return kj::joinPromises(taken.releaseAsArray()).then([stream = stream_] {
      if (stream == nullptr) return;
      stream->taking = false;
      stream->heard_ms = boot_clock_ms();
    });
  }

  kj::Promise<void> take(schema::WatchBatch::Reader from, const Header& header) {
    const auto at = watches_.find(from.getWatch());
    if (at == watches_.end()) return kj::READY_NOW;  // it was cancelled
    Watch& watch = at->second;
    const Revision previous(from.getPrevious());
    if (watch.told && *watch.told != previous) {
      ++gaps_;
      leave(stream_->line,
            Status(Code::kProtocol, "after revision " + std::to_string(watch.told->value) +
                                        " the member goes on after " +
                                        std::to_string(previous.value)));
      return kj::READY_NOW;
    }
    WatchBatch batch{previous, Revision(from.getRevision()), {}, header};
    watch.told = batch.revision;
    for (auto each : from.getEvents()) {
      batch.events.push_back({schema::read(each.getEvent()), std::nullopt});
      if (each.getHasPrevious()) batch.events.back().previous = schema::read(each.getPrevious());
    }
    const Status status(static_cast<Code>(from.getCode()), from.getDetail().cStr());
    const std::uint64_t id = from.getWatch();
    const Revision resume(from.getResume());
    kj::Promise<void> done = kj::READY_NOW;
    if (!batch.events.empty() || status.is_ok()) done = watch.on_batch(std::move(batch));
    if (!status.is_ok() && watches_.contains(id)) refused(id, status, resume);
    return done;
  }

  void tick() {
    tasks_.add(loop_.timer().afterDelay(kTickMs * kj::MILLISECONDS).then([this] {
      const std::uint64_t now_ms = boot_clock_ms();
      // If it was this process that slept, the silence was its own.
      const bool slept = now_ms > ticked_ms_ + silent_ms_ / 2;
      ticked_ms_ = now_ms;
      if (slept) began_ms_ = now_ms;
      if (slept && stream_ != nullptr) stream_->heard_ms = now_ms;
      if (stream_ != nullptr && !watches_.empty() && !stream_->taking &&
          now_ms > stream_->heard_ms + silent_ms_) {
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
std::uint64_t Watcher::resumed() const {
  return impl_->resumed();
}
std::uint64_t Watcher::gaps() const {
  return impl_->gaps();
}

}  // namespace client
