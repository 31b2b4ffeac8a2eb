#include "client/ctl/lock.h"

#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "client/ctl/child.h"
#include "client/ctl/commands.h"
#include "client/ctl/print.h"
#include "client/ctl/signals.h"
#include "client/lock.h"
#include "client/watch.h"
#include "net/loop.h"

namespace client::ctl {
namespace {

constexpr std::uint32_t kLookEveryMs = 20;     // at the command that runs
constexpr std::uint64_t kEndMs = 2000;         // from SIGTERM to SIGKILL
constexpr std::uint64_t kWaitNoticeMs = 2000;  // between two words about who holds the lock
constexpr std::uint32_t kReleaseMs = 3000;

/// --check: one run of it at a time; the answer is that of the last one that ended in time.
class Check {
 public:
  explicit Check(std::string command) : command_(std::move(command)) {}
  bool operator()() {
    if (command_.empty()) return true;
    if (child_ == nullptr) start();
    const int code = child_->poll();
    if (code < 0) return good_ && boot_clock_ms() - began_ms_ < kSlowMs;
    good_ = code == 0;
    child_.reset();
    return good_;
  }

 private:
  static constexpr std::uint64_t kSlowMs = 2000;
  void start() {
    child_ = std::make_unique<Child>();
    began_ms_ = boot_clock_ms();
    if (!child_->start({"/bin/sh", "-c", command_}, {}).is_ok()) good_ = false;
  }

  const std::string command_;
  std::unique_ptr<Child> child_;
  std::uint64_t began_ms_ = 0;
  bool good_ = true;
};

/// Holds a lock while a command runs, or until a signal.
class Holding {
 public:
  Holding(const Arguments& arguments, std::string what)
      : arguments_(arguments),
        what_(std::move(what)),
        signals_(loop_, [this](int signal) { signalled(signal); }) {}

  int run() {
    LockOptions options;
    options.name = arguments_.lock.name;
    options.value = arguments_.lock.value;
    options.ttl_ms = arguments_.lock.ttl_ms;
    options.healthy = [check = std::make_shared<Check>(arguments_.lock.check)] {
      return (*check)();
    };
    auto made = Lock::make(
        loop_, arguments_.global.client, std::move(options),
        [this](const base::Status& why) { lost(why); },
        [this](const std::string& whom) { waits(whom); });
    if (!made.is_ok()) return fail(what_, made.status(), arguments_.global.format);
    lock_ = std::move(made).value();
    auto acquired = lock_->acquire().then([this](base::Result<base::Revision>&& token) {
      if (!token.is_ok()) return end(fail(what_, token.status(), arguments_.global.format));
      hold();
    });
    auto running = acquired.eagerlyEvaluate(nullptr);
    while (!over_) loop_.run();
    if (child_.runs()) {
      child_.signal(SIGKILL);
      (void)child_.wait();
    }
    (void)loop_.wait(lock_->release().ignoreResult(), kReleaseMs);
    return exit_code_;
  }

 private:
  void end(int exit_code) {
    exit_code_ = exit_code;
    over_ = true;
    loop_.stop();
  }

  void hold() {
    const std::string token = std::to_string(lock_->token().value);
    const std::string lease = base::to_hex(lock_->lease().value);
    if (!arguments_.command.empty()) {
      const base::Status started =
          child_.start(arguments_.command, {{"HOLDFAST_LOCK_NAME", arguments_.lock.name},
                                            {"HOLDFAST_LOCK_TOKEN", token},
                                            {"HOLDFAST_LOCK_LEASE", lease}});
      if (!started.is_ok()) return end(fail(what_, started, arguments_.global.format));
    } else if (arguments_.global.format == Format::kJson) {
      const nlohmann::ordered_json json = {
          {"name", arguments_.lock.name}, {"token", lock_->token().value}, {"lease", lease}};
      (void)print(stdout, json.dump() + "\n", kExitOk);
    } else {
      (void)print(stdout,
                  arguments_.lock.value.empty() ? arguments_.lock.name + "\ntoken " + token + "\n"
                                                : arguments_.lock.name + "\ntoken " + token + "\n" +
                                                      arguments_.lock.value + "\n",
                  kExitOk);
    }
    loop_.every(kLookEveryMs, [this] { look(); });
  }

  /// By the own clock: the members may not have been heard of for a while.
  void look() {
    if (over_) return;
    if (!lost_ && lock_->token() && !lock_->held())
      lost({base::Code::kTimeout, "it was not renewed in time"});
    if (arguments_.command.empty()) return;
    const int code = child_.poll();
    if (code >= 0) return end(lost_ ? kExitFailure : code);
    if (lost_ && boot_clock_ms() >= lost_ms_ + kEndMs) child_.signal(SIGKILL);
  }

  void lost(const base::Status& why) {
    if (std::exchange(lost_, true)) return;
    lost_ms_ = boot_clock_ms();
    std::fprintf(stderr, "holdfast: %s: lock '%s' is lost: %s\n", what_.c_str(),
                 arguments_.lock.name.c_str(), why.to_string().c_str());
    if (arguments_.command.empty()) return end(kExitFailure);
    child_.signal(SIGTERM);
  }

  void waits(const std::string& whom) {
    const std::uint64_t now_ms = boot_clock_ms();
    if (now_ms < noticed_ms_ + kWaitNoticeMs) return;
    noticed_ms_ = now_ms;
    std::fprintf(stderr, "holdfast: %s: waiting for '%s', which another holds (%s)\n",
                 what_.c_str(), arguments_.lock.name.c_str(), whom.c_str());
  }

  void signalled(int signal) {
    if (child_.runs()) return child_.signal(signal);
    end(lock_ != nullptr && lock_->token() ? kExitOk : 128 + signal);
  }

  const Arguments& arguments_;
  const std::string what_;
  net::Loop loop_;
  Child child_;
  std::unique_ptr<Lock> lock_;
  bool over_ = false;
  bool lost_ = false;
  std::uint64_t lost_ms_ = 0;
  std::uint64_t noticed_ms_ = 0;
  int exit_code_ = kExitFailure;
  Signals signals_;
};

int listen(const Arguments& arguments) {
  net::Loop loop;
  Signals signals(loop);
  Watcher watcher(loop, arguments.global.client);
  int exit_code = kExitOk;
  const auto show = [&](const std::string& value) {
    if (print(stdout, value + "\n", kExitOk) != kExitOk) loop.stop();
  };
  auto client = Client::make(loop, arguments.global.client);
  if (!client.is_ok()) return fail("elect", client.status(), arguments.global.format);
  const auto stop = [&](int code) {
    exit_code = code;
    loop.stop();
  };
  auto asked = client.value()->get(arguments.lock.name).then([&](Outcome&& outcome) {
    if (!outcome.status.is_ok()) return stop(fail("elect", outcome, arguments.global.format));
    const auto& range = std::get<kv::RangeResult>(outcome.result.results.at(0));
    if (!range.items.empty()) show(range.items.front().value);
    WatchOptions options;
    options.range = {arguments.lock.name, ""};
    options.from = outcome.result.revision.next();
    options.no_deletes = true;
    watcher.watch(
        options,
        [&](WatchBatch&& batch) -> kj::Promise<void> {
          for (const WatchEvent& event : batch.events) show(event.event.item.value);
          return kj::READY_NOW;
        },
        [&](const base::Status& why, base::Revision) {
          stop(fail("elect", why, arguments.global.format));
        });
  });
  auto running = asked.eagerlyEvaluate(nullptr);
  loop.run();
  return exit_code;
}

}  // namespace

int run_lock(const Arguments& arguments) {
  return Holding(arguments, "lock").run();
}

int run_elect(const Arguments& arguments) {
  return arguments.lock.listen ? listen(arguments) : Holding(arguments, "elect").run();
}

}  // namespace client::ctl
