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

namespace net {
namespace {

using Clock = std::chrono::steady_clock;

/// Keeps its pace under load: a late turn does not move the later ones, missed ones are left out.
void repeat(std::shared_ptr<asio::steady_timer> timer, std::chrono::milliseconds period,
            std::shared_ptr<std::function<void()>> task) {
  timer->async_wait([=](const asio::error_code& error) {
    if (error) return;
    (*task)();
    auto next = timer->expiry() + period;
    if (next < Clock::now()) next = Clock::now();
    timer->expires_at(next);
    repeat(timer, period, task);
  });
}

}  // namespace

class Loop::Impl {
 public:
  Impl() : port(io), kj_loop(port), scope(kj_loop), timer(io) { port.attach(&kj_loop); }

  ~Impl() {
    // Handlers of closed sockets and cancelled timers still hold what they were made for, and that
    // may hold promises: they go while the KJ loop stands.
    for (auto& each : repeating) each->cancel();
    io.restart();
    io.poll();
    port.attach(nullptr);
  }

  asio::io_context io{1};
  EventPort port;
  kj::EventLoop kj_loop;
  kj::WaitScope scope;
  Timer timer;
  std::vector<std::shared_ptr<asio::steady_timer>> repeating;
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

asio::io_context& Loop::io() {
  return impl_->io;
}
kj::Timer& Loop::timer() {
  return impl_->timer;
}

void Loop::post(std::function<void()> task) {
  asio::post(impl_->io, std::move(task));
}

void Loop::every(std::uint32_t period_ms, std::function<void()> task) {
  CHECK(period_ms > 0);
  const std::chrono::milliseconds period(period_ms);
  auto timer = std::make_shared<asio::steady_timer>(impl_->io, Clock::now() + period);
  impl_->repeating.push_back(timer);
  repeat(timer, period, std::make_shared<std::function<void()>>(std::move(task)));
}

void Loop::run() {
  const auto guard = asio::make_work_guard(impl_->io);
  impl_->io.restart();
  impl_->io.run();
}

void Loop::stop() {
  impl_->io.stop();
}

bool Loop::wait(kj::Promise<void> promise, std::uint64_t timeout_ms) {
  bool done = false;
  kj::Maybe<kj::Exception> failure;
  const kj::Promise<void> task = promise
                                     .then([&] { done = true; },
                                           [&](kj::Exception&& exception) {
                                             done = true;
                                             failure = kj::mv(exception);
                                           })
                                     .eagerlyEvaluate(nullptr);
  const auto guard = asio::make_work_guard(impl_->io);
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  if (impl_->io.stopped()) impl_->io.restart();
  while (!done && Clock::now() < deadline) impl_->io.run_one_until(deadline);
  KJ_IF_MAYBE (exception, failure) {
    kj::throwFatalException(kj::mv(*exception));
  }
  return done;
}

}  // namespace net
