#include "raft/progress.h"

#include <algorithm>

#include "base/check.h"

namespace raft {

bool Progress::may_send(std::size_t window_messages, std::size_t window_bytes) const {
  if (state_ == State::kProbe) return !probe_sent_;
  if (state_ == State::kSnapshot) return false;
  return in_flight_.size() < window_messages && in_flight_bytes_ < window_bytes;
}

void Progress::sent(Index last, std::size_t bytes) {
  if (state_ == State::kProbe) {
    probe_sent_ = true;
    return;
  }
  in_flight_.push_back({last, bytes});
  in_flight_bytes_ += bytes;
  next_ = last.next();
  CHECK(match_ < next_);
}

bool Progress::acknowledged(Index match) {
  const bool entering = state_ != State::kReplicate;
  if (match > match_ || entering) {
    silent_ticks_ = 0;
    stuck_ticks_ = 0;
  }
  match_ = std::max(match_, match);
  if (entering) {
    state_ = State::kReplicate;
    forget_flight();
    next_ = match_.next();
  }
  next_ = std::max(next_, match_.next());
  while (!in_flight_.empty() && in_flight_.front().last <= match_) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
  CHECK(match_ < next_);
  CHECK(!in_flight_.empty() || in_flight_bytes_ == 0);
  return entering;
}

bool Progress::rejected(Index previous, Index hint, bool wait) {
  if (previous <= match_ || state_ == State::kSnapshot) return false;
  if (state_ == State::kProbe && previous.next() != next_) return false;
  if (state_ == State::kReplicate && previous >= next_) return false;
  state_ = State::kProbe;
  forget_flight();
  next_ = std::max(match_.next(), std::min(previous, hint.next()));
  probe_sent_ = wait;
  if (!wait) stuck_ticks_ = 0;
  return true;
}

void Progress::probe() {
  state_ = State::kProbe;
  forget_flight();
  next_ = match_.next();
}

void Progress::relink() {
  if (state_ == State::kReplicate) {
    probe();
  } else if (state_ == State::kProbe) {
    forget_flight();
  }
}

void Progress::probe_from(Index next) {
  probe();
  next_ = std::max(next_, next);
}

void Progress::await_snapshot() {
  forget_flight();
  state_ = State::kSnapshot;
}

void Progress::reset(Index next) {
  match_ = Index();
  probe();
  next_ = next;
  load_wait_ticks_ = 0;
}

void Progress::forget_flight() {
  in_flight_.clear();
  in_flight_bytes_ = 0;
  probe_sent_ = false;
  silent_ticks_ = 0;
}

bool Progress::tick(bool behind, bool busy, std::uint32_t watchdog_ticks) {
  ++supported_ticks_;
  // Whoever waits for a snapshot takes in chunks, and transfers have a bound of their own.
  stuck_ticks_ = behind && state_ != State::kSnapshot ? stuck_ticks_ + 1 : 0;
  if (load_wait_ticks_ > 0) --load_wait_ticks_;
  if (!waiting() || busy) {
    silent_ticks_ = 0;
    return false;
  }
  if (++silent_ticks_ < watchdog_ticks) return false;
  relink();
  return true;
}

}  // namespace raft
