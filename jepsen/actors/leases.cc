// Leases that are kept and looked at, dropped, and looked at again.
#include <algorithm>

#include "base/random.h"
#include "client/leases.h"
#include "jepsen/actors.h"

namespace jepsen {
namespace {

constexpr std::uint64_t kLeaseTtlMs = 3000;
constexpr std::uint32_t kTickMs = 100;

/// One lease after another, each with a key.
class Keeper final : private kj::TaskSet::ErrorHandler {
 public:
  Keeper(const Stage& stage, std::size_t number)
      : stage_(stage),
        name_("lease-" + std::to_string(number)),
        key_("lease/" + std::to_string(number)),
        random_(stage.seed * 37 + number),
        options_(options_for(stage)),
        client_(client::Client::make(stage.cluster.loop(), options_).value()),
        caller_(stage.cluster.loop(), options_),
        tasks_(*this) {}

  void begin() { tasks_.add(grant()); }
  /// No more renewals; it must be gone soon.
  void drop(std::uint64_t gone_within_ms) {
    stopping_ = true;
    if (!lease_) return;
    Value value = Value::map();
    value.set("lease", id())
        .set("gone_within_ms", Value::of(static_cast<std::int64_t>(gone_within_ms)));
    stage_.recorder.note(name_, "dropped", std::move(value));
  }
  kj::Promise<void> look() {
    const std::uint64_t begun_ns = stage_.recorder.now_ns();
    const base::LeaseId lease = lease_;
    return client_->get(key_).then([this, begun_ns, lease](client::Outcome&& outcome) {
      if (!outcome.status.is_ok() || !lease || lease != lease_) return;
      const auto& found = std::get<kv::RangeResult>(outcome.result.results.front());
      looked(!found.items.empty() && found.items.front().lease == lease, begun_ns);
    });
  }
  kj::Promise<void> on_idle() { return tasks_.onEmpty(); }

 private:
  static client::Options options_for(const Stage& stage) {
    client::Options options;
    options.endpoints = stage.cluster.endpoints();
    options.timeout_ms = 2000 * stage.cluster.time_scale();
    options.silence_ms *= stage.cluster.time_scale();
    return options;
  }
  std::uint64_t ttl_ms() const { return kLeaseTtlMs * stage_.cluster.time_scale(); }
  Value id() const { return Value::text_of(base::to_hex(lease_.value)); }
  kj::Promise<void> after_ms(std::uint64_t ms) {
    return stage_.cluster.loop().timer().afterDelay(ms * stage_.cluster.time_scale() *
                                                    kj::MILLISECONDS);
  }
  void kept(const char* f, std::uint64_t asked_ns) {
    Value value = Value::map();
    value.set("lease", id())
        .set("ttl_ms", Value::of(static_cast<std::int64_t>(ttl_ms())))
        .set("asked_ns", Value::of(static_cast<std::int64_t>(asked_ns)));
    until_ns_ = asked_ns + ttl_ms() * kNsPerMs;
    stage_.recorder.note(name_, f, std::move(value));
  }
  void looked(bool there, std::uint64_t begun_ns) {
    Value value = Value::map();
    value.set("lease", id())
        .set("there", Value::of(there ? 1 : 0))
        .set("begun_ns", Value::of(static_cast<std::int64_t>(begun_ns)));
    stage_.recorder.note(name_, "looked", std::move(value));
  }

  kj::Promise<void> grant() {
    if (stopping_) return kj::READY_NOW;
    lease_ = {};
    const std::uint64_t asked_ns = stage_.recorder.now_ns();
    return client_->grant(ttl_ms()).then([this, asked_ns](
                                             client::Outcome&& outcome) -> kj::Promise<void> {
      if (!outcome.status.is_ok()) {
        tasks_.add(after_ms(kTickMs).then([this] { tasks_.add(grant()); }));
        return kj::READY_NOW;
      }
      const auto lease = std::get<kv::GrantResult>(outcome.result.results.front()).lease;
      kv::Transaction put;
      put.then.push_back(kv::PutOperation{key_, "kept", false, lease});
      return client_->write(std::move(put)).then([this, lease, asked_ns](client::Outcome&& done) {
        // Only one whose key is surely there is looked at.
        if (!done.status.is_ok()) {
          tasks_.add(grant());
          return;
        }
        lease_ = lease;
        kept("granted", asked_ns);
        ticks_left_ = random_.between(40, 150);
        tasks_.add(tick());
      });
    });
  }

  kj::Promise<void> tick() {
    return after_ms(kTickMs).then([this]() -> kj::Promise<void> {
      if (stopping_) return kj::READY_NOW;
      if (ticks_left_ == 0 || stage_.recorder.now_ns() > until_ns_) {
        // Let go; another one follows once it is gone for sure.
        tasks_.add(look().then([this] { tasks_.add(grant()); }));
        return kj::READY_NOW;
      }
      --ticks_left_;
      const bool renews = ticks_left_ % 5 == 0;
      tasks_.add((renews ? renew() : look()).then([this] { tasks_.add(tick()); }));
      return kj::READY_NOW;
    });
  }

  kj::Promise<void> renew() {
    const std::uint64_t asked_ns = stage_.recorder.now_ns();
    return caller_.ask({lease_}, true, 1000 * stage_.cluster.time_scale())
        .then([this, asked_ns](base::Result<std::vector<client::LeaseTime>>&& answer) {
          if (!answer.is_ok() || answer->empty()) return;
          if (answer->front().ttl_ms == 0)
            looked(false, asked_ns);
          else
            kept("renewed", asked_ns);
        });
  }

  void taskFailed(kj::Exception&& exception) override {
    stage_.recorder.note(name_, "wrong", Value::text_of(exception.getDescription().cStr()));
  }

  const Stage stage_;
  const std::string name_, key_;
  base::Random random_;
  const client::Options options_;
  std::unique_ptr<client::Client> client_;
  client::LeaseCaller caller_;
  base::LeaseId lease_;
  std::uint64_t until_ns_ = 0, ticks_left_ = 0;
  bool stopping_ = false;
  kj::TaskSet tasks_;
};

class Leases final : public Actor {
 public:
  explicit Leases(Stage stage) : stage_(std::move(stage)) {}

  void begin() override {
    constexpr std::size_t kLeases = 8;
    for (std::size_t i = 0; i < kLeases; ++i) {
      keepers_.push_back(std::make_unique<Keeper>(stage_, i + 1));
      keepers_.back()->begin();
    }
  }
  /// All is healed: whatever is dropped now must go.
  void end() override {
    constexpr std::uint64_t kGoneMs = kLeaseTtlMs + 1000, kMoreMs = 500;
    const std::uint64_t scale = stage_.cluster.time_scale();
    for (auto& keeper : keepers_) keeper->drop(kGoneMs * scale);
    stage_.cluster.sleep_ms((kGoneMs + kMoreMs) * scale);
    for (auto& keeper : keepers_) (void)stage_.cluster.loop().wait(keeper->look(), 5000 * scale);
    for (auto& keeper : keepers_) (void)stage_.cluster.loop().wait(keeper->on_idle(), 5000 * scale);
    keepers_.clear();
  }

 private:
  const Stage stage_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
};

}  // namespace

std::unique_ptr<Actor> make_leases(Stage stage) {
  return std::make_unique<Leases>(std::move(stage));
}

}  // namespace jepsen
