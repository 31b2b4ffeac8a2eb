// One kind of loop: KJ's event loop driven by Asio's io_context; one thread, one epoll
// (shared reference rpc.md sections 1 and 3).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <kj/async.h>
#include <kj/timer.h>
#include <asio/io_context.hpp>

namespace net {

class Names;

/// Owns an io_context, a KJ EventLoop and its WaitScope. Made and run on one thread.
/// Invariants:
/// - a turn of the KJ loop is bounded (4096 events), so that sockets and ticks are never starved;
/// - nothing here waits inside a handler.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  asio::io_context& io();
  kj::Timer& timer();
  /// What names stood for. Loop thread.
  Names& names();

  /// Any thread: runs `task` on the loop's thread, soon. Not if the loop is destroyed before; other
  /// threads must have stopped to post by then.
  void post(std::function<void()> task);
  /// Runs `task` about every `period_ms` until the loop stops. `task` may not throw.
  void every(std::uint32_t period_ms, std::function<void()> task);
  /// Until stop(), which may also come before. Loop thread.
  void run();
  /// Any thread. Ends the run() or wait() under way, otherwise the next run().
  void stop();
  /// Runs the loop until the promise is done, at most `timeout_ms`; for start-up, tools and tests,
  /// never inside a handler. Returns false on time-out or stop(). Throws what the promise failed
  /// with.
  bool wait(kj::Promise<void> promise, std::uint64_t timeout_ms);

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace net
