// The one way that threads speak to each other: a bounded queue that wakes its reader once a batch.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.h"

namespace base {

/// Many writers, one reader.
/// Invariants:
/// - at most `capacity` bytes (as the writers state them) are queued, except that an empty mailbox
///   takes one item of any size, so that nothing is undeliverable;
/// - the wake function is called once when the mailbox turns from empty to not empty, outside the
///   lock, on the writer's thread; it must not block.
template <class T>
class Mailbox {
 public:
  Mailbox(std::size_t capacity_bytes, std::function<void()> wake)
      : capacity_bytes_(capacity_bytes), wake_(std::move(wake)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Any thread. Returns false, dropping nothing of `item`, when the mailbox is full or closed.
  bool try_push(T&& item, std::size_t size_bytes) {
    bool wake = false;
    {
      std::lock_guard lock(mutex_);
      if (closed_ || (!items_.empty() && used_bytes_ + size_bytes > capacity_bytes_)) return false;
      wake = items_.empty();
      items_.push_back(std::move(item));
      used_bytes_ += size_bytes;
    }
    if (wake) wake_();
    return true;
  }

  /// Any thread. For items that must not be lost and that something else bounds (completions of
  /// work that was itself admitted). Does nothing once closed.
  void push(T&& item) {
    bool wake = false;
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      wake = items_.empty();
      items_.push_back(std::move(item));
    }
    if (wake) wake_();
  }

  /// The reader's thread. Takes everything that is queued, oldest first; empty if nothing is.
  std::vector<T> drain() {
    std::vector<T> taken;
    std::lock_guard lock(mutex_);
    taken.swap(items_);
    used_bytes_ = 0;
    return taken;
  }

  /// Any thread. From now on nothing is taken in.
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }

  std::size_t used_bytes() const {
    std::lock_guard lock(mutex_);
    return used_bytes_;
  }

 private:
  const std::size_t capacity_bytes_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::vector<T> items_;        // guarded by mutex_
  std::size_t used_bytes_ = 0;  // guarded by mutex_
  bool closed_ = false;         // guarded by mutex_
};

}  // namespace base
