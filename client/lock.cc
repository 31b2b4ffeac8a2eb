#include "client/lock.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "client/watch.h"

namespace client {
namespace {

using base::Code;
using base::LeaseId;
using base::Result;
using base::Revision;
using base::Status;

using Token = Result<Revision>;

constexpr std::uint32_t kRetryMs = 100;

/// The keys of those who wait: NAME/ and 16 hex digits.
bool is_waiter(const std::string& key, const std::string& name) {
  return key.size() == name.size() + 17 && key.starts_with(name + "/") &&
         key.find_first_not_of("0123456789abcdef", name.size() + 1) == std::string::npos;
}

}  // namespace

class Lock::Impl final : private kj::TaskSet::ErrorHandler {
 public:
  Impl(net::Loop& loop, std::unique_ptr<Client> client, const Options& options, LockOptions lock,
       Lost lost, Waits waits)
      : loop_(loop),
        lock_(std::move(lock)),
        lost_(std::move(lost)),
        waits_(std::move(waits)),
        client_(std::move(client)),
        keeper_(loop, options, [this](LeaseId, const Status& why) { lease_lost(why); }),
        watcher_(loop, options),
        tasks_(*this) {}

  kj::Promise<Token> acquire() {
    auto paf = kj::newPromiseAndFulfiller<Token>();
    waiting_ = kj::mv(paf.fulfiller);
    const std::uint64_t asked_ms = boot_clock_ms();
    tasks_.add(client_->grant(lock_.ttl_ms).then([this, asked_ms](Outcome&& outcome) {
      if (!outcome.status.is_ok()) return finish(outcome.status);
      lease_ = std::get<kv::GrantResult>(outcome.result.results.at(0)).lease;
      keeper_.keep(lease_, lock_.ttl_ms, asked_ms, lock_.healthy);
      enqueue();
    }));
    return kj::mv(paf.promise);
  }

  bool held() const { return token_.value != 0 && keeper_.holds(lease_); }
  Revision token() const { return token_; }
  LeaseId lease() const { return lease_; }

  kj::Promise<Outcome> proclaim(std::string value) {
    kv::Transaction transaction;
    transaction.fences.push_back({lock_.name, token_});
    transaction.then.push_back(kv::PutOperation{lock_.name, std::move(value), false, lease_});
    return client_->write(std::move(transaction));
  }

  kj::Promise<Status> release() {
    token_ = Revision();
    if (!lease_) return Status::ok();
    keeper_.release(lease_);
    return client_->revoke(std::exchange(lease_, LeaseId()))
        .then([this](Outcome&& outcome) -> kj::Promise<Status> {
          Status status = outcome.status;
          if (status.code() == Code::kLeaseNotFound) status = Status::ok();
          return client_->close_session().then(
              [status = std::move(status)](Outcome&&) mutable { return std::move(status); });
        });
  }

 private:
  std::string own_key() const { return lock_.name + "/" + base::to_hex(lease_.value); }

  void finish(Token token) {
    if (watch_ != 0) watcher_.cancel(std::exchange(watch_, 0));
    if (token.is_ok()) token_ = token.value();
    KJ_IF_MAYBE (waiting, waiting_) {
      auto fulfiller = kj::mv(*waiting);
      waiting_ = nullptr;
      fulfiller->fulfill(kj::mv(token));
    }
  }

  void lease_lost(const Status& why) {
    const bool held = token_.value != 0;
    token_ = Revision();
    if (!held) return finish(why);
    if (lost_) lost_(why);
  }

  void enqueue() {
    kv::Transaction transaction;
    transaction.then.push_back(kv::PutOperation{own_key(), lock_.value, false, lease_});
    tasks_.add(client_->write(std::move(transaction)).then([this](Outcome&& outcome) {
      if (!outcome.status.is_ok()) return finish(outcome.status);
      place_ = outcome.result.revision;
      look();
    }));
  }

  /// Who is before this one: the holder, or the last of those who wait and came earlier.
  void look() {
    if (waiting_ == nullptr) return;
    kv::Transaction transaction;
    transaction.then.push_back(kv::RangeOperation{{lock_.name, ""}});
    kv::RangeOperation waiters{{lock_.name + "/", lock_.name + "0"}};
    waiters.keys_only = true;
    transaction.then.push_back(waiters);
    tasks_.add(client_->read(std::move(transaction)).then([this](Outcome&& outcome) {
      if (waiting_ == nullptr) return;
      if (!outcome.status.is_ok()) return look_again();
      const auto& holder = std::get<kv::RangeResult>(outcome.result.results.at(0)).items;
      const auto& others = std::get<kv::RangeResult>(outcome.result.results.at(1)).items;
      const kv::KeyValue* before = nullptr;
      for (const kv::KeyValue& other : others) {
        if (!is_waiter(other.key, lock_.name) || other.create_revision >= place_) continue;
        if (before == nullptr || before->create_revision < other.create_revision) before = &other;
      }
      if (waits_ && !holder.empty())
        waits_("token " + std::to_string(holder.front().create_revision.value) + ", lease " +
               base::to_hex(holder.front().lease.value));
      if (before != nullptr) return wait_for(before->key, outcome.result.revision);
      if (!holder.empty()) return wait_for(lock_.name, outcome.result.revision);
      take();
    }));
  }

  void look_again() {
    tasks_.add(loop_.timer().afterDelay(kRetryMs * kj::MILLISECONDS).then([this] { look(); }));
  }

  void wait_for(const std::string& key, Revision seen) {
    WatchOptions options;
    options.range = {key, ""};
    options.from = seen.next();
    options.no_puts = true;
    watch_ = watcher_.watch(
        options,
        [this](WatchBatch&& batch) -> kj::Promise<void> {
          if (batch.events.empty()) return kj::READY_NOW;
          watcher_.cancel(std::exchange(watch_, 0));
          look();
          return kj::READY_NOW;
        },
        [this](const Status&, Revision) {
          watch_ = 0;
          look_again();
        });
  }

  void take() {
    kv::Transaction transaction;
    transaction.compares = {
        {lock_.name, kv::CompareTarget::kExistence},
        {own_key(), kv::CompareTarget::kLease, kv::CompareResult::kEqual, lease_.value}};
    transaction.then.push_back(kv::PutOperation{lock_.name, lock_.value, false, lease_});
    transaction.then.push_back(kv::DeleteOperation{{own_key(), ""}});
    tasks_.add(client_->write(std::move(transaction)).then([this](Outcome&& outcome) {
      if (waiting_ == nullptr) return;
      if (!outcome.status.is_ok()) return finish(outcome.status);
      if (!outcome.result.succeeded) return look_again();
      finish(outcome.result.revision);
    }));
  }
  void taskFailed(kj::Exception&&) override {}

  net::Loop& loop_;
  const LockOptions lock_;
  const Lost lost_;
  const Waits waits_;
  const std::unique_ptr<Client> client_;
  LeaseKeeper keeper_;
  Watcher watcher_;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<Token>>> waiting_;  // acquire() is under way
  LeaseId lease_;
  Revision place_;  // among those who wait
  Revision token_;
  std::uint64_t watch_ = 0;
  kj::TaskSet tasks_;
};

Lock::Lock(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Lock::~Lock() = default;

Result<std::unique_ptr<Lock>> Lock::make(net::Loop& loop, Options options, LockOptions lock,
                                         Lost lost, Waits waits) {
  if (lock.name.empty() || lock.name.size() + 17 > kv::Limits().key_bytes)
    return Status(Code::kInvalidArgument, "the name of a lock has from 1 to " +
                                              std::to_string(kv::Limits().key_bytes - 17) +
                                              " bytes");
  auto client = Client::make(loop, options);
  if (!client.is_ok()) return client.status();
  return std::unique_ptr<Lock>(
      new Lock(std::make_unique<Impl>(loop, std::move(client).value(), options, std::move(lock),
                                      std::move(lost), std::move(waits))));
}

kj::Promise<Token> Lock::acquire() {
  return impl_->acquire();
}
bool Lock::held() const {
  return impl_->held();
}
Revision Lock::token() const {
  return impl_->token();
}
LeaseId Lock::lease() const {
  return impl_->lease();
}
kj::Promise<Outcome> Lock::proclaim(std::string value) {
  return impl_->proclaim(std::move(value));
}
kj::Promise<Status> Lock::release() {
  return impl_->release();
}

}  // namespace client
