#include "server/observer.h"

#include <algorithm>
#include <utility>

#include "kv/scrub.h"

namespace server {
namespace {

using base::MemberId;
using health::ClockState;
using health::SpeedClass;

constexpr std::uint32_t kElectionMs = 300;  // T
constexpr std::uint32_t kLateMs = 50;       // between two turns, which are 10 ms apart
constexpr std::uint64_t kLatePercent = 50;  // of a round, from which on it is bad
constexpr std::size_t kReadings = 5;        // four rounds lie between the first and the last
constexpr double kUsualWeight = 1.0 / 64;   // of the newest round
constexpr std::uint32_t kFoundToStand = 3;
constexpr std::uint32_t kMissedToEnd = 5;
constexpr std::uint64_t kJitterMs = 20;
constexpr std::uint64_t kMoveAgainMs = 1000;
// What keeps all members from serving shows at the last of them a probe and its time-out later.
constexpr std::uint64_t kUnservedMs = 2500;

health::PhiOptions phi_options(std::uint32_t time_scale) {
  health::PhiOptions options;
  options.heartbeat_ms = Observer::kEveryMs * time_scale;
  options.pause_ms *= time_scale;
  return options;
}

health::MatrixOptions matrix_options(std::uint32_t time_scale) {
  health::MatrixOptions options;
  options.fresh_ms *= time_scale;
  options.silent_ms *= time_scale;
  options.append_ms *= time_scale;
  options.no_time_ms *= time_scale;
  options.range_name = kv::name_of_scrub_range;
  options.slow_link_min_ms *= time_scale;
  return options;
}

}  // namespace

Observer::Observer(ObserverOptions options, ObserverPort& port)
    : options_(std::move(options)), port_(port), clock_(options_.time_scale) {}

std::optional<double> Observer::Peer::round_trip_ms() const {
  if (trips == 0) return std::nullopt;
  std::vector<double> known(trips_ms.begin(), trips_ms.begin() + std::min(trips, trips_ms.size()));
  std::nth_element(known.begin(), known.begin() + known.size() / 2, known.end());
  return known[known.size() / 2];
}

bool Observer::advance(std::uint64_t now_us, std::uint64_t clock_ms) {
  clock_ms_ = clock_ms;
  const std::uint64_t gap_us = turned_us_ == 0 ? 0 : now_us - turned_us_;
  if (gap_us > scaled_us(kElectionMs)) starved_until_us_ = now_us + scaled_us(2 * kElectionMs);
  if (gap_us > scaled_us(kLateMs)) late_us_ += gap_us;
  turned_us_ = now_us;
  return now_us >= next_us_;
}

void Observer::observe(std::uint64_t now_us, std::uint64_t wall_ms, const raft::CoreStatus& core,
                       OwnReading own) {
  own_ = std::move(own);
  if (own_.unserved.empty()) served_us_ = now_us;
  // Not in step with anything else that comes ten times a second, such as the turns of a CPU quota,
  // which would show each link at one moment of it only.
  const std::uint64_t jitter_ms = (sequence_ * 13 + options_.self.value) % (2 * kJitterMs + 1);
  next_us_ = now_us + scaled_us(kEveryMs - kJitterMs + jitter_ms);
  follow_members(now_us, core);
  follow_clock(now_us);
  follow_speed(own_.syncs, core.stalled, now_us);
  const health::Row row = own_row(now_us, core);
  (void)matrix_.take(row, now_us / 1000, 0);
  send(now_us, row);
  judge(now_us, wall_ms, core);
  consider_moving(now_us, core);
}

void Observer::follow_members(std::uint64_t now_us, const raft::CoreStatus& core) {
  const std::vector<MemberId> members = core.configuration.ids();
  voters_.clear();
  for (const MemberId id : members) {
    if (core.configuration.find_voter(id) != nullptr) voters_.push_back(id);
    if (id == options_.self) continue;
    const auto [at, is_new] = peers_.try_emplace(id, phi_options(options_.time_scale));
    if (is_new) at->second.heard_us = now_us;
  }
  std::erase_if(peers_, [&](const auto& peer) {
    return std::find(members.begin(), members.end(), peer.first) == members.end();
  });
  matrix_.keep(members);
}

// ---- How slow the own disk is, and the own loop ----

/// A stall is another matter, and says nothing of how fast the disk is.
void Observer::follow_speed(const SyncReading& syncs, bool stalled, std::uint64_t now_us) {
  if (stalled) readings_.clear();
  if (stalled || now_us < next_round_us_) return;
  next_round_us_ = now_us + scaled_us(health::SlowScore::kRoundMs);
  const std::uint64_t late_us = std::exchange(late_us_, 0);
  const std::uint64_t round_us = now_us - std::exchange(round_began_us_, now_us);
  readings_.push_back(syncs.done);
  if (readings_.size() > kReadings) readings_.erase(readings_.begin());
  const auto median_us = DurationHistogram::median_us(readings_.front(), readings_.back());
  sync_ms_.reset();
  if (median_us) sync_ms_ = static_cast<double>(*median_us) / 1000;
  // One that has not ended yet has taken at least so long.
  if (syncs.pending_us) {
    sync_ms_ = std::max(sync_ms_.value_or(0), static_cast<double>(*syncs.pending_us) / 1000);
  }
  score_round(round_us == 0 ? 0 : std::min<std::uint64_t>(100, late_us * 100 / round_us));
}

/// Without a sync in the last second nothing speaks against the disk.
void Observer::score_round(std::uint64_t late_percent) {
  std::vector<double> others;
  for (const auto& [id, known] : matrix_.rows()) {
    const bool fresh = known.age_ms(turned_us_ / 1000) <= 2000 * options_.time_scale;
    if (id != options_.self && fresh && known.row.sync_ms) others.push_back(*known.row.sync_ms);
  }
  limit_ms_ = health::slow_above_ms(std::move(others), usual_ms_);
  const bool late = late_percent >= kLatePercent;
  const bool bad = late || (sync_ms_ && limit_ms_ && *sync_ms_ > *limit_ms_ * options_.time_scale);
  if (late) {
    late_reason_ = "its loop stood still for " + std::to_string(late_percent) + "% of the time";
  } else if (bad || score_.speed() == SpeedClass::kHealthy) {
    late_reason_.clear();
  }
  if (sync_ms_ && !bad) {
    usual_ms_ = usual_ms_ ? *usual_ms_ + (*sync_ms_ - *usual_ms_) * kUsualWeight : *sync_ms_;
  }
  score_.round(bad);
  assess();
}

/// Told when it changes; its figures do so all the time.
void Observer::assess() {
  const raft::SelfAssessment now{true, "", score_.speed() == SpeedClass::kSlow, clock_reason_};
  if (now.barred.empty() == assessed_.barred.empty() && now.slow == assessed_.slow) return;
  assessed_ = now;
  port_.assess(now);
}

// ---- The clock ----

void Observer::follow_clock(std::uint64_t now_us) {
  clock_.agree(options_.self, voters_, now_us, clock_ms_ * 1000);
  const health::ClockVerdict verdict = clock();
  if (verdict.state != clock_state_ || clock_since_us_ == 0) clock_since_us_ = now_us;
  clock_state_ = verdict.state;
  std::string why;
  if (verdict.state == ClockState::kFar) {
    why = health::describe_off(verdict.off_us);
  } else if (verdict.state == ClockState::kUnknown &&
             now_us - clock_since_us_ >= scaled_us(health::MatrixOptions().no_time_ms) &&
             another_knows_time(now_us)) {
    why = "others agree on a time, and its clock is not among theirs";
  }
  clock_bad_ = why.empty() ? 0 : clock_bad_ + 1;
  clock_good_ = why.empty() ? clock_good_ + 1 : 0;
  if (clock_bad_ >= kFoundToStand) clock_reason_ = why;
  if (clock_good_ >= kMissedToEnd) clock_reason_.clear();
  assess();
}

bool Observer::another_knows_time(std::uint64_t now_us) const {
  const std::uint32_t fresh_ms = matrix_options(options_.time_scale).fresh_ms;
  for (const auto& [id, known] : matrix_.rows()) {
    const bool counts = id != options_.self && known.age_ms(now_us / 1000) <= fresh_ms;
    if (counts && known.row.clock == ClockState::kAgreed) return true;
  }
  return false;
}

// ---- Rows ----

health::Row Observer::own_row(std::uint64_t now_us, const raft::CoreStatus& core) const {
  health::Row row;
  row.observer = options_.self;
  row.epoch = options_.epoch;
  row.sequence = sequence_ + 1;
  row.speed = score_.speed();
  row.score = score_.score();
  row.sync_ms = sync_ms_;
  row.stalled = core.stalled;
  row.reason = core.stalled ? core.stall_reason : late_reason_;
  row.starved = now_us < starved_until_us_;
  row.leads = core.role == raft::Role::kLeader;
  row.full = own_.full;
  row.unserved = own_.unserved;
  row.clock = clock_state_;
  row.clock_for_ms = static_cast<std::uint32_t>((now_us - clock_since_us_) / 1000);
  row.clock_off_ms = clock().off_us / 1000;
  row.scrub_index = scrub_index_;
  row.scrub = scrub_;
  row.moves_ms = own_moves_ms(now_us);
  for (const auto& [id, peer] : peers_) {
    health::LinkView link;
    link.peer = id;
    link.silent_ms = static_cast<std::uint32_t>((now_us - peer.heard_us) / 1000);
    link.phi = peer.phi.value(now_us / 1000);
    link.round_trip_ms = peer.round_trip_ms();
    for (const raft::PeerStatus& known : core.peers) {
      const bool waits = row.leads && known.id == id && !known.progress.needs_snapshot;
      if (waits) link.append_age_ms = known.stuck_ticks * options_.tick_ms;
    }
    row.links.push_back(link);
  }
  return row;
}

/// The own row, and one of another in turn: a member that is not heard here may be heard there.
void Observer::send(std::uint64_t now_us, const health::Row& own) {
  sequence_ = own.sequence;
  SentRow sent{own, 0, now_us, clock_ms_ * 1000, {}};
  std::vector<const health::Matrix::Known*> others;
  for (const auto& [id, known] : matrix_.rows()) {
    const bool fresh = known.age_ms(now_us / 1000) <= matrix_options(options_.time_scale).fresh_ms;
    if (id != options_.self && fresh) others.push_back(&known);
  }
  for (const auto& [id, peer] : peers_) {
    if (peer.sent_us != 0) sent.echoes.push_back({id, peer.sent_us, now_us - peer.heard_us});
  }
  std::vector<SentRow> rows = {std::move(sent)};
  if (!others.empty()) {
    const auto& known = *others[++relayed_ % others.size()];
    rows.push_back({known.row, known.age_ms(now_us / 1000), 0, 0, {}});
  }
  const std::string bytes = encode_rows(rows);
  for (const auto& [id, peer] : peers_) port_.send_rows(id, bytes);
}

void Observer::receive(MemberId from, const std::string& bytes, std::uint64_t now_us) {
  const auto at = peers_.find(from);
  auto rows = decode_rows(bytes);
  if (at == peers_.end() || !rows || rows->empty() || rows->front().row.observer != from) return;
  Peer& peer = at->second;
  const SentRow& first = rows->front();
  peer.phi.heard(now_us / 1000);
  peer.heard_us = now_us;
  peer.sent_us = first.sent_us;
  for (const Echo& echo : first.echoes) {
    if (echo.peer != options_.self || now_us < echo.echo_us + echo.held_us) continue;
    const auto trip_us = static_cast<double>(now_us - echo.echo_us - echo.held_us);
    peer.trips_ms[peer.trips++ % peer.trips_ms.size()] = trip_us / 1000;
    if (first.wall_us == 0) continue;
    clock_.sample(from, now_us, first.wall_us, now_us - echo.echo_us - echo.held_us);
  }
  for (SentRow& each : rows.value()) {
    if (each.row.observer == options_.self) continue;
    (void)matrix_.take(std::move(each.row), now_us / 1000, each.age_ms);
  }
}

// ---- Verdicts ----

void Observer::judge(std::uint64_t now_us, std::uint64_t wall_ms, const raft::CoreStatus& core) {
  std::vector<health::Verdict> found;
  const bool voter = core.configuration.find_voter(options_.self) != nullptr;
  if (voter && voters_.size() > 1) {
    found = health::judge(matrix_, options_.self, voters_, now_us / 1000,
                          matrix_options(options_.time_scale),
                          [this](MemberId id) { return port_.name_of(id); });
  }
  for (Finding& each : findings_) {
    const auto at = std::find_if(found.begin(), found.end(), [&](const health::Verdict& verdict) {
      return verdict.same_as(each.verdict);
    });
    if (at == found.end()) {
      each.found = 0;
      ++each.missed;
      continue;
    }
    each.verdict = std::move(*at);
    found.erase(at);
    ++each.found;
    each.missed = 0;
  }
  for (health::Verdict& verdict : found) findings_.push_back({std::move(verdict), 1, 0, wall_ms});
  for (Finding& each : findings_) {
    if (!each.stands && each.found >= kFoundToStand) {
      each.stands = true;
      port_.judged(each.verdict, true);
      const bool own = each.verdict.subject == options_.self;
      if (own && each.verdict.kind == health::VerdictKind::kDiverged) {
        port_.diverged(each.verdict.evidence);
      }
    } else if (each.stands && each.missed >= kMissedToEnd) {
      port_.judged(each.verdict, false);
    }
  }
  std::erase_if(findings_, [](const Finding& each) {
    return each.stands ? each.missed >= kMissedToEnd : each.missed > 0;
  });
}

ObserverReport Observer::report(std::uint64_t now_us) const {
  ObserverReport report;
  for (const bool own : {true, false}) {
    for (const auto& [id, known] : matrix_.rows()) {
      if ((id == options_.self) == own) {
        report.rows.push_back({known.row, known.age_ms(now_us / 1000)});
      }
    }
  }
  for (const auto& [id, peer] : peers_) {
    if (const auto offset = clock_.offset(id, now_us, clock_ms_ * 1000)) {
      report.clock_offsets.emplace_back(id, *offset);
    }
  }
  for (const Finding& each : findings_) {
    if (each.stands) report.verdicts.push_back({each.verdict, each.since_wall_ms});
  }
  return report;
}

// ---- Handing over ----

std::vector<std::uint32_t> Observer::own_moves_ms(std::uint64_t now_us) const {
  std::vector<std::uint32_t> ages;
  for (const std::uint64_t at_us : moves_us_) {
    const std::uint64_t age_ms = (now_us - at_us) / 1000;
    if (age_ms < options_.leadership.moves_within_ms) {
      ages.push_back(static_cast<std::uint32_t>(age_ms));
    }
  }
  return ages;
}

void Observer::consider_moving(std::uint64_t now_us, const raft::CoreStatus& core) {
  if (core.role != raft::Role::kLeader) {
    led_since_us_ = 0;
    return;
  }
  if (led_since_us_ == 0 || led_term_ != core.term) {
    led_since_us_ = now_us;
    led_term_ = core.term;
  }
  const std::string why = why_hand_over();
  if (why.empty() || now_us < next_move_us_) return;
  // It leads in the term of the last attempt: that one failed, and counts for nothing.
  if (moved_in_ == core.term && !moves_us_.empty()) moves_us_.pop_back();
  moved_in_ = base::Term();
  std::vector<std::uint32_t> moves_ms = own_moves_ms(now_us);
  const auto others = candidates(now_us, core, moves_ms);
  const auto move =
      health::should_move(SpeedClass::kSlow, (now_us - led_since_us_) / 1000 / options_.time_scale,
                          others, moves_ms, options_.leadership);
  if (!move) return;
  next_move_us_ = now_us + scaled_us(kMoveAgainMs);
  moves_us_.push_back(now_us);
  moved_in_ = core.term;
  port_.yield_leadership(move->to, why + "; " + port_.name_of(move->to) + " is " +
                                       std::string(health::name_of(move->speed)));
}

/// Empty: this member is fit to lead. Without room, or without clients, it is no better than a slow
/// one.
std::string Observer::why_hand_over() const {
  if (score_.speed() == SpeedClass::kSlow) {
    if (!late_reason_.empty()) return "slow: " + late_reason_;
    return "slow: its log syncs take " + health::in_ms(sync_ms_.value_or(0)) + ", more than " +
           health::in_ms(limit_ms_.value_or(0)) + " by what the others need";
  }
  if (own_.full) return "full: its disk has less room than what is kept for deletes";
  if (served_us_ + scaled_us(kUnservedMs) <= turned_us_) return "unserved: " + own_.unserved;
  const health::Verdict* slow = standing(health::VerdictKind::kSlow, options_.self);
  return slow == nullptr ? "" : "slow: " + slow->evidence;
}

const health::Verdict* Observer::standing(health::VerdictKind kind, MemberId subject) const {
  for (const Finding& each : findings_) {
    const bool same = each.verdict.kind == kind && each.verdict.subject == subject;
    if (each.stands && same) return &each.verdict;
  }
  return nullptr;
}

/// The other voters; the ages of their hand-overs are added to `moves_ms`.
std::vector<health::Candidate> Observer::candidates(std::uint64_t now_us,
                                                    const raft::CoreStatus& core,
                                                    std::vector<std::uint32_t>& moves_ms) const {
  std::vector<health::Candidate> all;
  for (const raft::PeerStatus& peer : core.peers) {
    const auto known = matrix_.rows().find(peer.id);
    if (known == matrix_.rows().end() || core.configuration.find_voter(peer.id) == nullptr)
      continue;
    const health::Row& row = known->second.row;
    const std::uint32_t age_ms = known->second.age_ms(now_us / 1000);
    health::Candidate candidate;
    candidate.id = peer.id;
    candidate.sound = age_ms <= matrix_options(options_.time_scale).fresh_ms && peer.link_up &&
                      !row.stalled && row.clock != ClockState::kFar && !peer.progress.stalled &&
                      !peer.progress.needs_snapshot;
    const bool slow = row.full || !row.unserved.empty() ||
                      standing(health::VerdictKind::kSlow, peer.id) != nullptr;
    candidate.speed = slow ? SpeedClass::kSlow : row.speed;
    candidate.lag = core.last > peer.match ? core.last - peer.match : 0;
    for (const std::uint32_t moved_ms : row.moves_ms) {
      moves_ms.push_back(moved_ms + age_ms);
      candidate.moved_ms =
          std::min<std::uint64_t>(candidate.moved_ms.value_or(UINT64_MAX), moved_ms + age_ms);
    }
    all.push_back(candidate);
  }
  return all;
}

}  // namespace server
