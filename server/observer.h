// The observers' exchange: what this member sees of the others, what they see of it and of each
// other, the verdicts that follow, and the two reactions: a slow member says so to its core, and a
// slow leader hands over. Glue around health/: owns no thread and reads no clock, so the simulator
// can run it. Loop thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "health/agreed_time.h"
#include "health/leadership.h"
#include "health/matrix.h"
#include "health/phi.h"
#include "health/slow_score.h"
#include "raft/core.h"
#include "server/metrics.h"
#include "server/observer_codec.h"

namespace server {

struct ObserverOptions {
  base::MemberId self;
  std::uint64_t epoch = 0;  // of this opening
  std::uint32_t tick_ms = 10;
  std::uint32_t time_scale = 1;  // every bound is so many times longer
  health::LeadershipOptions leadership;
};

/// What an observer does. Called from within observe() and receive().
class ObserverPort {
 public:
  virtual ~ObserverPort() = default;
  virtual void send_rows(base::MemberId to, const std::string& rows) = 0;
  virtual void assess(raft::SelfAssessment assessment) = 0;
  virtual void yield_leadership(base::MemberId to, const std::string& reason) = 0;
  /// What people call a member; its id if it has no name.
  virtual std::string name_of(base::MemberId id) const = 0;
  /// A verdict stands, or has ended.
  virtual void judged(const health::Verdict& verdict, bool stands) = 0;
  /// This member's state is another one than the majority's.
  virtual void diverged(const std::string& evidence) = 0;
};

/// What the log's disk has done, as of now.
struct SyncReading {
  DurationHistogram::Reading done;          // since the process began
  std::optional<std::uint64_t> pending_us;  // how long the present one has taken
};

/// What a member knows of itself beside its core's status.
struct OwnReading {
  SyncReading syncs;
  bool full = false;     // its disk has less room than the reserve
  std::string unserved;  // probe_complaint()
};

struct StandingVerdict {
  health::Verdict verdict;
  std::uint64_t since_wall_ms = 0;
};
struct SeenRow {
  health::Row row;
  std::uint32_t age_ms = 0;
};
/// A copy for the doors.
struct ObserverReport {
  std::vector<SeenRow> rows;  // the own one first
  std::vector<StandingVerdict> verdicts;
  std::vector<std::pair<base::MemberId, health::OffsetSample>> clock_offsets;  // of the voters
};

/// Invariants:
/// - a verdict stands once it was found three times in a row, and ends once it was not found five
///   times in a row;
/// - a member that was late itself (no turn for T) accuses nobody for 2T;
/// - a member is slow by its log's syncs, or because its own turns come late for half of the time;
/// - a member whose clock is far from the agreed time for three rounds, or that has had no agreed
///   time for ten seconds while another has, is barred from leading, until five rounds were well;
/// - a leader hands over to one that is well when it is slow, full, or serves no clients: no more
///   often than health::LeadershipOptions say.
class Observer {
 public:
  static constexpr std::uint32_t kEveryMs = 100;

  Observer(ObserverOptions options, ObserverPort& port);

  /// Each turn of the owner, at its beginning. `clock_ms`: the wall clock that stamps come from.
  /// True: observe() is due.
  bool advance(std::uint64_t now_us, std::uint64_t clock_ms);
  /// What the members' clocks say of that one.
  health::ClockVerdict clock() const { return clock_.judge(turned_us_, clock_ms_ * 1000); }
  /// `wall_ms` is only written down.
  void observe(std::uint64_t now_us, std::uint64_t wall_ms, const raft::CoreStatus& core,
               OwnReading own);
  /// Any bytes; those that make no sense change nothing.
  void receive(base::MemberId from, const std::string& rows, std::uint64_t now_us);
  ObserverReport report(std::uint64_t now_us) const;
  /// The own state after entry `index`, to be compared with the others'.
  void scrubbed(base::Index index, std::vector<std::uint64_t> digests) {
    scrub_index_ = index.value;
    scrub_ = std::move(digests);
  }

 private:
  struct Peer {
    explicit Peer(const health::PhiOptions& options) : phi(options) {}
    health::PhiAccrual phi;
    std::uint64_t heard_us = 0;         // the last row, or when it was first expected
    std::uint64_t sent_us = 0;          // by its clock, of that row; 0: none came yet
    std::array<double, 16> trips_ms{};  // a ring
    std::size_t trips = 0;              // that were measured
    std::optional<double> round_trip_ms() const;
  };
  struct Finding {
    health::Verdict verdict;
    std::uint32_t found = 0, missed = 0;  // in a row
    std::uint64_t since_wall_ms = 0;
    bool stands = false;
  };

  std::uint64_t scaled_us(std::uint64_t ms) const { return ms * 1000 * options_.time_scale; }
  void follow_members(std::uint64_t now_us, const raft::CoreStatus& core);
  void follow_clock(std::uint64_t now_us);
  bool another_knows_time(std::uint64_t now_us) const;
  void assess();
  void follow_speed(const SyncReading& syncs, bool stalled, std::uint64_t now_us);
  void score_round(std::uint64_t late_percent);
  health::Row own_row(std::uint64_t now_us, const raft::CoreStatus& core) const;
  void send(std::uint64_t now_us, const health::Row& own);
  void judge(std::uint64_t now_us, std::uint64_t wall_ms, const raft::CoreStatus& core);
  void consider_moving(std::uint64_t now_us, const raft::CoreStatus& core);
  std::string why_hand_over() const;
  const health::Verdict* standing(health::VerdictKind kind, base::MemberId subject) const;
  std::vector<health::Candidate> candidates(std::uint64_t now_us, const raft::CoreStatus& core,
                                            std::vector<std::uint32_t>& moves_ms) const;
  std::vector<std::uint32_t> own_moves_ms(std::uint64_t now_us) const;

  const ObserverOptions options_;
  ObserverPort& port_;
  std::map<base::MemberId, Peer> peers_;
  std::vector<base::MemberId> voters_;
  health::Matrix matrix_;
  health::AgreedTime clock_;
  std::vector<Finding> findings_;
  std::uint64_t sequence_ = 0;
  std::uint64_t relayed_ = 0;  // counts; which row is sent on next

  std::uint64_t turned_us_ = 0;
  std::uint64_t clock_ms_ = 0;
  health::ClockState clock_state_ = health::ClockState::kUnknown;
  std::uint64_t clock_since_us_ = 0;              // since when it is in that state
  std::uint32_t clock_bad_ = 0, clock_good_ = 0;  // rounds in a row
  std::string clock_reason_;                      // why it must not lead; else empty
  raft::SelfAssessment assessed_;
  std::uint64_t starved_until_us_ = 0;
  std::uint64_t next_us_ = 0;
  std::uint64_t next_round_us_ = 0;

  std::vector<DurationHistogram::Reading> readings_;  // one a round, of the last second
  std::optional<double> sync_ms_;                     // the median over them
  std::optional<double> usual_ms_;                    // of rounds that were not bad
  std::optional<double> limit_ms_;                    // above it the last round was bad
  std::uint64_t late_us_ = 0;  // that the owner's turns came late, since the last round
  std::uint64_t round_began_us_ = 0;
  std::string late_reason_;  // the last bad round was bad for that; else empty
  health::SlowScore score_;
  std::uint64_t scrub_index_ = 0;
  std::vector<std::uint64_t> scrub_;
  OwnReading own_;
  std::uint64_t served_us_ = 0;  // when calls of its own at its client port last did not fail

  std::uint64_t led_since_us_ = 0;  // 0: does not lead
  base::Term led_term_;
  std::uint64_t next_move_us_ = 0;
  std::vector<std::uint64_t> moves_us_;  // when it handed over for slowness
  base::Term moved_in_;                  // the term of the last of them
};

}  // namespace server
