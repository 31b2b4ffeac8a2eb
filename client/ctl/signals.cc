#include "client/ctl/signals.h"

#include <csignal>
#include <utility>

namespace client::ctl {

Signals::Signals(net::Loop& loop, std::function<void(int signal)> on_signal)
    : loop_(loop), on_signal_(std::move(on_signal)), set_(loop.io(), SIGINT, SIGTERM) {
  wait();
}

void Signals::wait() {
  set_.async_wait([this](const asio::error_code& error, int signal) {
    if (error) return;
    if (caught_ == 0) caught_ = signal;
    if (on_signal_) on_signal_(signal);
    loop_.stop();
    wait();
  });
}

}  // namespace client::ctl
