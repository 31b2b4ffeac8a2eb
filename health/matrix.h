// What every member sees of every other, put together and judged: who is dead, cut off, slow, or
// looks well and is not (reference failures.md section 2). Pure; time is milliseconds of the
// caller's clock. Verdicts are advice and evidence: no vote rests on them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "health/agreed_time.h"
#include "health/slow_score.h"

namespace health {

/// What one member sees of another.
struct LinkView {
  base::MemberId peer;
  std::uint32_t silent_ms = 0;  // since its last row came
  double phi = 0;               // how unusual that is
  std::optional<double> round_trip_ms;
  std::uint32_t append_age_ms = 0;  // a leader's: since when it lacks entries and acknowledges none
};

/// One member's account of itself and of the others.
struct Row {
  base::MemberId observer;
  std::uint64_t epoch = 0;     // of its opening
  std::uint64_t sequence = 0;  // grows within an epoch
  SpeedClass speed = SpeedClass::kHealthy;
  double score = 0;               // SlowScore
  std::optional<double> sync_ms;  // the median of its log's syncs of late
  bool stalled = false;
  bool starved = false;  // its own loop was late: it accuses nobody
  bool leads = false;
  ClockState clock = ClockState::kAgreed;
  std::uint32_t clock_for_ms = 0;       // it has been so
  std::int64_t clock_off_ms = 0;        // its clock minus the agreed time
  bool full = false;                    // its disk has less room than the reserve
  std::string unserved;                 // why calls at its own client port fail; empty: they do not
  std::string reason;                   // why it is stalled or slow
  std::uint64_t scrub_index = 0;        // the entry after which its state has these digests
  std::vector<std::uint64_t> scrub;     // one a range; empty: none were taken yet
  std::vector<std::uint32_t> moves_ms;  // ages of the hand-overs that it made because it was slow
  std::vector<LinkView> links;

  const LinkView* find(base::MemberId peer) const;
};

enum class VerdictKind : std::uint8_t {
  kDead,       // nobody hears subject
  kIsolated,   // this member hears no majority: it judges nobody else
  kPartial,    // subject and other do not hear each other, and somebody hears both
  kOneWay,     // other does not hear subject, which hears other
  kSlowLink,   // between subject and other alone
  kSlow,       // subject's disk, or all its links
  kStalled,    // subject says so itself
  kClock,      // subject's clock is far from the agreed time; says so itself
  kNoTime,     // subject hears a majority, and the clocks of none agree; says so itself
  kDiverged,   // subject's state is another one than a majority's after the same entry
  kUndecided,  // the same, and no majority has any one state; subject is the first of them
  kFull,       // subject's disk has less room than the reserve; says so itself
  kUnserved,   // subject's own calls as a client of itself fail; says so itself
  kGray,       // subject calls itself well and answers, and takes in nothing
};
/// Kebab-case, stable: "one-way".
std::string_view name_of(VerdictKind kind);

struct Verdict {
  VerdictKind kind = VerdictKind::kDead;
  base::MemberId subject;
  base::MemberId other;  // of what is about a link; otherwise zero
  std::string evidence;  // in plain words, with figures

  /// The same finding, whatever its figures.
  bool same_as(const Verdict& verdict) const {
    return kind == verdict.kind && subject == verdict.subject && other == verdict.other;
  }
};

struct MatrixOptions {
  std::uint32_t fresh_ms = 1000;                     // older rows are no evidence
  std::uint32_t silent_ms = 600;                     // 2T: longer silences are a complaint
  std::uint32_t append_ms = 1200;                    // 4T without an acknowledged append
  double slow_link_min_ms = 20;                      // a round trip below it is never slow
  std::uint32_t no_time_ms = 10'000;                 // without an agreed time
  std::string (*range_name)(std::size_t) = nullptr;  // of a digest
  double slow_link_times = 8;                        // nor one below so many times the median
};

/// The rows of all members, as they came.
/// Invariants:
/// - at most one row an observer: the newest by (epoch, sequence);
/// - rows of nobody that is a member are dropped by keep().
class Matrix {
 public:
  /// `age_ms`: how old the row was when it came. False: it is not newer than what is known.
  bool take(Row row, std::uint64_t now_ms, std::uint32_t age_ms);
  /// Forgets everybody else.
  void keep(const std::vector<base::MemberId>& members);

  struct Known {
    Row row;
    std::uint64_t at_ms = 0;  // when it was written, by the caller's clock
    std::uint32_t age_ms(std::uint64_t now_ms) const {
      return static_cast<std::uint32_t>(now_ms > at_ms ? now_ms - at_ms : 0);
    }
  };
  const std::map<base::MemberId, Known>& rows() const { return rows_; }

 private:
  std::map<base::MemberId, Known> rows_;
};

using NameOf = std::function<std::string(base::MemberId)>;

/// What `self` finds. `members`: the voters, self among them. Sorted by kind and subject.
/// A row that is not fresh, or that is starved, accuses nobody; nor does a self that is isolated.
std::vector<Verdict> judge(const Matrix& matrix, base::MemberId self,
                           const std::vector<base::MemberId>& members, std::uint64_t now_ms,
                           const MatrixOptions& options, const NameOf& name_of);

}  // namespace health
