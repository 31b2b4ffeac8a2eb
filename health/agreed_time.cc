#include "health/agreed_time.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace health {
namespace {

using base::MemberId;

/// Below it clocks are as good as equal, and halving on would only chase noise.
constexpr std::int64_t kLeastToleranceUs = 1000;

std::int64_t ahead_us(std::uint64_t wall_us, std::uint64_t boot_us) {
  return static_cast<std::int64_t>(wall_us) - static_cast<std::int64_t>(boot_us);
}

bool disjoint(const Span& a, const Span& b) {
  return a.high_us < b.low_us || b.high_us < a.low_us;
}

std::uint64_t moved_ms(std::uint64_t wall_ms, std::int64_t by_us) {
  const std::int64_t moved = static_cast<std::int64_t>(wall_ms) + by_us / 1000;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, moved));
}

}  // namespace

std::string_view name_of(ClockState state) {
  switch (state) {
    case ClockState::kUnknown:
      return "unknown";
    case ClockState::kAgreed:
      return "agreed";
    case ClockState::kFar:
      return "far";
  }
  return "unknown";
}

OffsetSample offset_of(std::int64_t t1, std::int64_t t2, std::int64_t t3, std::int64_t t4) {
  return {((t2 - t1) + (t3 - t4)) / 2, (t4 - t1) - (t3 - t2)};
}

Overlap overlap_of(const std::vector<Span>& spans) {
  // At one place beginnings come before ends, since spans include both.
  std::vector<std::pair<std::int64_t, int>> edges;
  for (const Span& span : spans) {
    edges.emplace_back(span.low_us, 0);
    edges.emplace_back(span.high_us, 1);
  }
  std::sort(edges.begin(), edges.end());
  Overlap best;
  std::size_t open = 0;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (edges[i].second == 1) {
      --open;
    } else if (++open > best.sources) {
      best = {{edges[i].first, edges[i + 1].first}, open};
    }
  }
  return best;
}

// ---- Verdicts ----

std::uint64_t ClockVerdict::corrected_ms(std::uint64_t wall_ms) const {
  return moved_ms(wall_ms, std::clamp<std::int64_t>(0, agreed.low_us, agreed.high_us));
}

std::uint64_t ClockVerdict::latest_ms(std::uint64_t wall_ms) const {
  return moved_ms(wall_ms, agreed.high_us);
}

std::string describe_off(std::int64_t off_us) {
  const std::int64_t tenths = (std::abs(off_us) + 50'000) / 100'000;
  return "its clock is " + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s " +
         (off_us > 0 ? "ahead of" : "behind") + " the time that a majority agrees on";
}

// ---- Samples ----

void AgreedTime::sample(MemberId peer, std::uint64_t boot_us, std::uint64_t peer_wall_us,
                        std::uint64_t delay_us) {
  const auto delay = static_cast<std::int64_t>(std::min(delay_us, window_us_));
  const Sample fresh{boot_us, {ahead_us(peer_wall_us, boot_us) + delay / 2, delay}};
  std::deque<Sample>& known = samples_[peer];
  std::erase_if(known, [&](const Sample& each) {
    return boot_us - each.at_us > window_us_ || disjoint(each.ahead.span(), fresh.ahead.span());
  });
  known.push_back(fresh);
}

const AgreedTime::Sample* AgreedTime::best(MemberId peer, std::uint64_t boot_us) const {
  const auto known = samples_.find(peer);
  if (known == samples_.end()) return nullptr;
  const Sample* least = nullptr;
  for (const Sample& each : known->second) {
    if (boot_us > each.at_us + window_us_) continue;
    if (least == nullptr || each.ahead.delay_us <= least->ahead.delay_us) least = &each;
  }
  return least;
}

std::optional<OffsetSample> AgreedTime::offset(MemberId peer, std::uint64_t boot_us,
                                               std::uint64_t wall_us) const {
  const Sample* known = best(peer, boot_us);
  if (known == nullptr) return std::nullopt;
  return OffsetSample{known->ahead.offset_us - ahead_us(wall_us, boot_us), known->ahead.delay_us};
}

/// The tolerance is halved for as long as a majority still agrees, as TigerBeetle does.
void AgreedTime::agree(MemberId self, const std::vector<MemberId>& voters, std::uint64_t boot_us,
                       std::uint64_t wall_us) {
  std::erase_if(samples_, [&](const auto& peer) {
    return std::find(voters.begin(), voters.end(), peer.first) == voters.end();
  });
  const std::int64_t own_us = ahead_us(wall_us, boot_us);
  std::vector<Span> spans;
  for (const MemberId id : voters) {
    if (id == self) {
      spans.push_back({own_us, own_us});
    } else if (const Sample* known = best(id, boot_us)) {
      spans.push_back(known->ahead.span());
    }
  }
  agreed_.reset();
  for (std::int64_t us = kMostOffUs; us >= kLeastToleranceUs; us /= 2) {
    std::vector<Span> wide = spans;
    for (Span& span : wide) span = {span.low_us - us, span.high_us + us};
    const Overlap shared = overlap_of(wide);
    if (shared.sources < voters.size() / 2 + 1) break;
    agreed_ = shared.span;
  }
}

ClockVerdict AgreedTime::judge(std::uint64_t boot_us, std::uint64_t wall_us) const {
  ClockVerdict verdict;
  if (!agreed_) return verdict;
  const std::int64_t own_us = ahead_us(wall_us, boot_us);
  verdict.agreed = {agreed_->low_us - own_us, agreed_->high_us - own_us};
  verdict.off_us = -std::clamp<std::int64_t>(0, verdict.agreed.low_us, verdict.agreed.high_us);
  verdict.state = std::abs(verdict.off_us) > kMostOffUs ? ClockState::kFar : ClockState::kAgreed;
  return verdict;
}

}  // namespace health
