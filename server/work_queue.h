// A mailbox whose reader is a thread that sleeps until there is work.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/mailbox.h"

namespace server {

/// Many writers, one reading thread. What is pushed is bounded by its writers: log and apply work
/// by the core's windows, reads by the replica's pending requests.
template <class T>
class WorkQueue {
 public:
  WorkQueue() : mailbox_(SIZE_MAX, [this] { wake(); }) {}

  /// Any thread; never waits for the reader's work.
  void push(T&& item) { mailbox_.push(std::move(item)); }

  /// The reader: everything that is queued, oldest first. Waits at most `timeout_ms` for it; empty
  /// after the time-out, or once stopped and drained.
  std::vector<T> wait(std::uint32_t timeout_ms) {
    std::vector<T> items = mailbox_.drain();
    if (!items.empty()) return items;
    {
      std::unique_lock lock(mutex_);
      woken_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                      [this] { return awake_ || stopped_; });
      awake_ = false;
    }
    return mailbox_.drain();
  }

  /// Any thread. What is queued is still handed out.
  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    woken_.notify_one();
  }
  bool stopped() const {
    std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  void wake() {
    std::lock_guard lock(mutex_);
    awake_ = true;
    woken_.notify_one();
  }

  mutable std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;    // guarded by mutex_; set by writers, cleared by the reader
  bool stopped_ = false;  // guarded by mutex_
  base::Mailbox<T> mailbox_;
};

}  // namespace server
