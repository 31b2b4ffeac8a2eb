// SIGINT and SIGTERM for commands that go on until they are told to end. Loop thread.
#pragma once

#include <functional>

#include <asio/signal_set.hpp>

#include "net/loop.h"

namespace client::ctl {

/// While it lives those two end nothing by themselves: they end the loop's wait and are remembered.
class Signals {
 public:
  /// `on_signal`, if there is one, is told each time.
  explicit Signals(net::Loop& loop, std::function<void(int signal)> on_signal = nullptr);
  /// The first one; 0: none yet.
  int caught() const { return caught_; }

 private:
  void wait();

  net::Loop& loop_;
  const std::function<void(int)> on_signal_;
  asio::signal_set set_;
  int caught_ = 0;
};

}  // namespace client::ctl
