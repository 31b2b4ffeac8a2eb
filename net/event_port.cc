#include "net/event_port.h"

#include <chrono>
#include <memory>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "base/check.h"

namespace net {
namespace {

constexpr kj::uint kEventsPerTurn = 4096;

/// Cancels its timer when the promise is dropped; the handler then finds nobody to tell.
class TimerAdapter {
 public:
  TimerAdapter(kj::PromiseFulfiller<void>& fulfiller, asio::io_context& io, kj::Duration delay)
      : fulfiller_(std::make_shared<kj::PromiseFulfiller<void>*>(&fulfiller)), timer_(io) {
    timer_.expires_after(std::chrono::nanoseconds(delay / kj::NANOSECONDS));
    timer_.async_wait([waiter = fulfiller_](const asio::error_code&) {
      if (*waiter != nullptr) (*waiter)->fulfill();
    });
  }
  ~TimerAdapter() { *fulfiller_ = nullptr; }
  TimerAdapter(const TimerAdapter&) = delete;
  TimerAdapter& operator=(const TimerAdapter&) = delete;

 private:
  std::shared_ptr<kj::PromiseFulfiller<void>*> fulfiller_;
  asio::steady_timer timer_;
};

}  // namespace

bool EventPort::wait() {
  io_.run_one();
  return false;
}

bool EventPort::poll() {
  io_.poll();
  return false;
}

void EventPort::setRunnable(bool runnable) {
  runnable_ = runnable;
  if (runnable) schedule();
}

void EventPort::wake() const {
  CHECK(false, "threads speak through Loop::post, not through kj::Executor");
}

void EventPort::schedule() {
  if (posted_ || loop_ == nullptr) return;
  posted_ = true;
  asio::post(io_, [this] {
    posted_ = false;
    if (loop_ == nullptr) return;
    loop_->run(kEventsPerTurn);
    if (runnable_) schedule();
  });
}

kj::TimePoint Timer::now() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return kj::origin<kj::TimePoint>() +
         std::chrono::duration_cast<std::chrono::nanoseconds>(since).count() * kj::NANOSECONDS;
}

kj::Promise<void> Timer::atTime(kj::TimePoint time) {
  const kj::TimePoint current = now();
  return afterDelay(time > current ? time - current : 0 * kj::NANOSECONDS);
}

kj::Promise<void> Timer::afterDelay(kj::Duration delay) {
  return kj::newAdaptedPromise<void, TimerAdapter>(io_, delay);
}

}  // namespace net
