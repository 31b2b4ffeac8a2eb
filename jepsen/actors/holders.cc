// Holders of one lock. Each writes under its token, in the store and to an outside resource; some
// stop renewing and go on writing, as one does that was paused.
#include <filesystem>

#include "base/random.h"
#include "client/guard/mark.h"
#include "client/lock.h"
#include "jepsen/actors.h"

namespace jepsen {
namespace {

constexpr char kLock[] = "lock/1";
constexpr std::uint64_t kLockTtlMs = 2000;
constexpr std::uint32_t kStepMs = 60;

class Holder final : private kj::TaskSet::ErrorHandler {
 public:
  Holder(const Stage& stage, std::size_t number, client::guard::Mark& resource)
      : stage_(stage),
        name_("holder-" + std::to_string(number)),
        random_(stage.seed * 31 + number),
        resource_(resource),
        tasks_(*this) {
    options_.endpoints = stage.cluster.endpoints();
    options_.timeout_ms = 2000 * stage.cluster.time_scale();
    options_.silence_ms *= stage.cluster.time_scale();
    client_ = client::Client::make(stage.cluster.loop(), options_).value();
  }

  void begin() { tasks_.add(next_round(0)); }
  void stop() { stopping_ = true; }
  kj::Promise<void> on_idle() { return tasks_.onEmpty(); }

 private:
  kj::Promise<void> after_ms(std::uint64_t ms) {
    return stage_.cluster.loop().timer().afterDelay(ms * stage_.cluster.time_scale() *
                                                    kj::MILLISECONDS);
  }

  kj::Promise<void> next_round(std::uint64_t rest_ms) {
    if (stopping_) return kj::READY_NOW;
    return after_ms(rest_ms).then([this]() -> kj::Promise<void> {
      if (stopping_) return kj::READY_NOW;
      awake_ = true;
      client::LockOptions lock;
      lock.name = kLock;
      lock.ttl_ms = kLockTtlMs * stage_.cluster.time_scale();
      lock.healthy = [this] { return awake_; };
      lock_ =
          client::Lock::make(stage_.cluster.loop(), options_, lock, [this](const base::Status&) {
            note("lost");
          }).value();
      return lock_->acquire().then([this](base::Result<base::Revision>&& token) {
        if (token.is_ok())
          acquired(token.value());
        else
          over();
      });
    });
  }

  void acquired(base::Revision token) {
    token_ = token;
    note("acquired");
    sleeps_ = random_.chance(3);
    steps_left_ = random_.between(3, 10);
    tasks_.add(step());
  }

  kj::Promise<void> step() {
    return after_ms(random_.between(kStepMs / 2, kStepMs * 2)).then([this]() -> kj::Promise<void> {
      visit();
      return write().then([this] {
        if (--steps_left_ > 0 && !stopping_) {
          tasks_.add(step());
        } else if (sleeps_) {
          tasks_.add(sleep());
        } else {
          release();
        }
      });
    });
  }

  /// Paused, as far as others can see, for longer than the lock lives; then it goes on as if
  /// nothing had happened.
  kj::Promise<void> sleep() {
    awake_ = false;
    return after_ms(kLockTtlMs * 2).then([this] {
      visit();
      return write().then([this] { release(); });
    });
  }

  void release() {
    note("released");
    tasks_.add(lock_->release().then([this](base::Status&&) { over(); }));
  }
  void over() {
    // Not inside its own callback.
    tasks_.add(kj::evalLater([this] {
      lock_ = nullptr;
      tasks_.add(next_round(random_.between(20, 200)));
    }));
  }

  void visit() {
    const auto admitted = resource_.admit(token_.value);
    if (!admitted.is_ok() && admitted.status().code() != base::Code::kFenced) {
      stage_.recorder.note(
          name_, "wrong", Value::text_of("the outside resource: " + admitted.status().to_string()));
      return;
    }
    note("resource", "admitted", admitted.is_ok() ? 1 : 0);
  }

  kj::Promise<void> write() {
    kv::Transaction transaction;
    transaction.fences.push_back({kLock, token_});
    transaction.then.push_back(
        kv::PutOperation{"held/1", name_ + " " + std::to_string(++written_), false});
    return client_->write(std::move(transaction)).then([this](client::Outcome&& outcome) {
      if (outcome.status.is_ok())
        note("fenced", "applied", 1, outcome.result.revision.value);
      else if (outcome.status.code() == base::Code::kFenced)
        note("fenced", "applied", 0);
    });
  }

  void note(const char* f, const char* key = nullptr, std::int64_t number = 0,
            std::uint64_t revision = 0) {
    Event event;
    event.actor = name_;
    event.f = f;
    event.value = Value::map();
    event.value.set("lock", Value::of(1))
        .set("token", Value::of(static_cast<std::int64_t>(token_.value)));
    if (key != nullptr) event.value.set(key, Value::of(number));
    event.revision = revision;
    stage_.recorder.record(std::move(event));
  }
  void taskFailed(kj::Exception&& exception) override {
    stage_.recorder.note(name_, "wrong", Value::text_of(exception.getDescription().cStr()));
  }

  const Stage stage_;
  const std::string name_;
  base::Random random_;
  client::guard::Mark& resource_;
  client::Options options_;
  std::unique_ptr<client::Client> client_;
  std::unique_ptr<client::Lock> lock_;
  base::Revision token_;
  bool awake_ = true, sleeps_ = false, stopping_ = false;
  std::uint64_t steps_left_ = 0, written_ = 0;
  kj::TaskSet tasks_;
};

class Holders final : public Actor {
 public:
  explicit Holders(Stage stage)
      : stage_(std::move(stage)), resource_(stage_.folder + "/resource/mark") {}

  void begin() override {
    std::filesystem::create_directories(stage_.folder + "/resource");
    constexpr std::size_t kHolders = 4;
    for (std::size_t i = 0; i < kHolders; ++i) {
      holders_.push_back(std::make_unique<Holder>(stage_, i + 1, resource_));
      holders_.back()->begin();
    }
  }
  void end() override {
    for (auto& holder : holders_) holder->stop();
    constexpr std::uint64_t kWaitMs = 10 * kLockTtlMs;
    for (auto& holder : holders_)
      (void)stage_.cluster.loop().wait(holder->on_idle(), kWaitMs * stage_.cluster.time_scale());
    holders_.clear();
  }

 private:
  const Stage stage_;
  client::guard::Mark resource_;
  std::vector<std::unique_ptr<Holder>> holders_;
};

}  // namespace

std::unique_ptr<Actor> make_holders(Stage stage) {
  return std::make_unique<Holders>(std::move(stage));
}

}  // namespace jepsen
