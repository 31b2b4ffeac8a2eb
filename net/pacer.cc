#include "net/pacer.h"

#include <algorithm>

namespace net {
namespace {

constexpr std::uint64_t kRetransmitUs = 200'000;  // the kernel's least
constexpr std::uint64_t kMostRetransmits = 6;
constexpr std::uint64_t kRoundTripUs = 1000;
constexpr std::uint64_t kLookUs = 5'000;

}  // namespace

bool Pacer::arrives(const Impairment& impairment) {
  return random_.below(100) >= impairment.loss_percent;
}

/// A lost segment comes again after a timeout, and everything after it waits; or, where one that
/// was sent later arrives and is acknowledged selectively, at once (RACK, RFC 8985), if it is not
/// lost again. Of what is written together only a lost end waits: the rest is found missing by it.
void Pacer::lose(std::uint64_t now_us, const Impairment& impairment) {
  if (stalled_until_us_ <= now_us) {
    std::uint64_t stall_us = 0;
    for (std::uint64_t i = 0; i < kMostRetransmits && !arrives(impairment); ++i)
      stall_us += kRetransmitUs << i;
    if (stall_us > 0) stalled_until_us_ = now_us + stall_us;
    return;
  }
  const bool sees_the_gap = arrives(impairment), again = arrives(impairment);
  if (!sees_the_gap || !again) return;
  stalled_until_us_ = 0;
  last_due_us_ = std::min(last_due_us_, now_us + kRoundTripUs);
  for (Held& held : held_) held.due_us = std::min(held.due_us, last_due_us_);
}

void Pacer::written(std::size_t bytes, std::uint64_t now_us, const Impairment& impairment) {
  std::uint64_t due_us = now_us;
  if (impairment.delay_ms > 0) {
    due_us += impairment.delay_ms * 1000 + random_.below(impairment.delay_ms * 500 + 1);
  }
  if (impairment.loss_percent > 0) {
    lose(now_us, impairment);
    due_us = std::max(due_us, stalled_until_us_);
  }
  due_us = std::max(due_us, last_due_us_);
  if (impairment.rate_bytes_s > 0) due_us += bytes * 1'000'000 / impairment.rate_bytes_s;
  last_due_us_ = impairment.any() || !held_.empty() ? due_us : 0;
  if (!held_.empty() && held_.back().due_us == due_us) {
    held_.back().bytes += bytes;
  } else {
    held_.push_back({bytes, due_us});
  }
}

std::size_t Pacer::take_due(std::uint64_t now_us, const Impairment& impairment) {
  if (impairment.cut) return 0;
  std::size_t bytes = 0;
  while (!held_.empty()) {
    const bool stuck = impairment.large_lost && held_.front().bytes > kPacketBytes;
    if (impairment.any() && (stuck || held_.front().due_us > now_us)) break;
    bytes += held_.front().bytes;
    held_.pop_front();
  }
  if (held_.empty()) last_due_us_ = impairment.any() ? last_due_us_ : 0;
  return bytes;
}

std::optional<std::uint64_t> Pacer::ask_again_us(std::uint64_t now_us) const {
  if (held_.empty()) return std::nullopt;
  const std::uint64_t due_us = held_.front().due_us;
  return due_us > now_us ? std::min(due_us, now_us + kLookUs) : now_us + kLookUs;
}

}  // namespace net
