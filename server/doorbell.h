// Wakes and stops a net::Loop from any thread, also before it exists and after it went.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "net/loop.h"

namespace server {

/// Invariant: the task runs on the loop's thread, after every ring() that came while a loop was
/// attached, and once after attach() for those that came before.
class Doorbell {
 public:
  explicit Doorbell(std::function<void()> task) : task_(std::move(task)) {}

  /// Loop thread. `loop` lives until detach(). False: stop() came first, do not run it.
  bool attach(net::Loop& loop) {
    std::lock_guard lock(mutex_);
    loop_ = &loop;
    loop_->post(task_);
    return !stopped_;
  }
  /// Loop thread.
  void detach() {
    std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }
  /// Any thread.
  void ring() {
    std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->post(task_);
  }
  /// Any thread: the loop returns from run().
  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    // Posted, so that it also ends a run() that has not begun yet.
    if (loop_ != nullptr) loop_->post([loop = loop_] { loop->stop(); });
  }

 private:
  const std::function<void()> task_;
  std::mutex mutex_;
  net::Loop* loop_ = nullptr;  // guarded by mutex_
  bool stopped_ = false;       // guarded by mutex_
};

}  // namespace server
