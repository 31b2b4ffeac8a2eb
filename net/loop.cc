#include "net/loop.h"

#include <chrono>
#include <exception>
#include <utility>

#include <kj/exception.h>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "base/check.h"
#include "net/event_port.h"
#include "net/names.h"

namespace net {
namespace {

using Clock = std::chrono::steady_clock;

/// A task that runs again and again. The loop empties `task` before it goes: a timer that has
/// already expired would run it once more, though what it was made for is gone.
struct Repeating {
  asio::steady_timer timer;
  std::chrono::milliseconds period;
  std::function<void()> task;
};

/// Keeps its pace under load: a late turn does not move the later ones, missed ones are left out.
void repeat(std::shared_ptr<Repeating> repeating) {
  asio::steady_timer& timer = repeating->timer;
  timer.async_wait([repeating = std::move(repeating)](const asio::error_code& error) {
    if (error || !repeating->task) return;
    repeating->task();
    auto next = repeating->timer.expiry() + repeating->period;
    if (next < Clock::now()) next = Clock::now();
    repeating->timer.expires_at(next);
    repeat(repeating);
  });
}

}  // namespace

class Loop::Impl {
 public:
  Impl() : port(io), kj_loop(port), scope(kj_loop), timer(io) { port.attach(&kj_loop); }

  ~Impl() {
    closing = true;
    // Handlers of closed sockets and cancelled timers still hold what they were made for, and that
    // may hold promises: they go while the KJ loop stands.
    for (auto& each : repeating) {
      each->task = nullptr;
      each->timer.cancel();
    }
    io.restart();
    io.poll();
    port.attach(nullptr);
  }

  asio::io_context io{1};
  // Without it the io_context stops by itself whenever nothing is pending.
  const asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  bool running = false;
  bool closing = false;  // what was posted and has not run yet finds its objects gone
  EventPort port;
  kj::EventLoop kj_loop;
  kj::WaitScope scope;
  Timer timer;
  std::vector<std::shared_ptr<Repeating>> repeating;
  Names names;
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

asio::io_context& Loop::io() {
  return impl_->io;
}
kj::Timer& Loop::timer() {
  return impl_->timer;
}
Names& Loop::names() {
  return impl_->names;
}

void Loop::post(std::function<void()> task) {
  asio::post(impl_->io, [impl = impl_.get(), task = std::move(task)] {
    if (!impl->closing) task();
  });
}

void Loop::every(std::uint32_t period_ms, std::function<void()> task) {
  CHECK(period_ms > 0);
  const std::chrono::milliseconds period(period_ms);
  auto repeating = std::make_shared<Repeating>(
      Repeating{asio::steady_timer(impl_->io, Clock::now() + period), period, std::move(task)});
  impl_->repeating.push_back(repeating);
  repeat(std::move(repeating));
}

void Loop::run() {
  CHECK(!impl_->running, "a loop may not be run from within itself");
  impl_->running = true;
  impl_->io.run();
  // Here and not before: a stop() that came before run() counts.
  impl_->io.restart();
  impl_->running = false;
}

void Loop::stop() {
  impl_->io.stop();
}

bool Loop::wait(kj::Promise<void> promise, std::uint64_t timeout_ms) {
  CHECK(!impl_->running, "a loop may not be run from within itself");
  bool done = false;
  kj::Maybe<kj::Exception> failure;
  const kj::Promise<void> task = promise
                                     .then([&] { done = true; },
                                           [&](kj::Exception&& exception) {
                                             done = true;
                                             failure = kj::mv(exception);
                                           })
                                     .eagerlyEvaluate(nullptr);
  impl_->running = true;
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!done && !impl_->io.stopped() && Clock::now() < deadline) {
    impl_->io.run_one_until(deadline);
  }
  impl_->running = false;
  KJ_IF_MAYBE (exception, failure) {
    kj::throwFatalException(kj::mv(*exception));
  }
  return done;
}

}  // namespace net
