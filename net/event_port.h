// KJ's door to the outside world, served by an Asio io_context. Loop thread.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>
#include <asio/io_context.hpp>

namespace net {

/// Runs the KJ loop from handlers posted to the io_context.
/// Invariant: at most one such handler is queued, and each runs a bounded number of KJ events, so
/// that a busy KJ queue starves neither sockets nor timers.
class EventPort final : public kj::EventPort {
 public:
  explicit EventPort(asio::io_context& io) : io_(io) {}
  void attach(kj::EventLoop* loop) { loop_ = loop; }

  bool wait() override;
  bool poll() override;
  void setRunnable(bool runnable) override;
  /// KJ calls it for kj::Executor only, whose events EventLoop::run() would never look at.
  void wake() const override;

 private:
  void schedule();

  asio::io_context& io_;
  kj::EventLoop* loop_ = nullptr;  // null before it exists and after it went
  bool runnable_ = false;
  bool posted_ = false;
};

/// kj::Timer over Asio's steady timers.
class Timer final : public kj::Timer {
 public:
  explicit Timer(asio::io_context& io) : io_(io) {}
  kj::TimePoint now() const override;
  kj::Promise<void> atTime(kj::TimePoint time) override;
  kj::Promise<void> afterDelay(kj::Duration delay) override;

 private:
  asio::io_context& io_;
};

}  // namespace net
