#include "health/matrix.h"

#include <algorithm>
#include <set>

namespace health {
namespace {

using base::MemberId;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// One judgement over the rows that count.
class Judgement {
 public:
  Judgement(const Matrix& matrix, MemberId self, const std::vector<MemberId>& members,
            std::uint64_t now_ms, const MatrixOptions& options, const NameOf& name_of)
      : self_(self), members_(members), options_(options), name_of_(name_of) {
    for (const MemberId id : members) {
      const auto known = matrix.rows().find(id);
      if (known == matrix.rows().end()) continue;
      const std::uint32_t age_ms = known->second.age_ms(now_ms);
      if (age_ms <= options.fresh_ms) fresh_[id] = {&known->second.row, age_ms};
    }
  }

  std::vector<Verdict> run() {
    const auto own = fresh_.find(self_);
    if (own == fresh_.end() || own->second.row->starved) return {};
    if (isolated()) return std::move(verdicts_);
    for (const MemberId id : members_) judge_member(id);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      for (std::size_t j = i + 1; j < members_.size(); ++j) judge_link(members_[i], members_[j]);
    }
    judge_round_trips();
    judge_states();
    std::stable_sort(verdicts_.begin(), verdicts_.end(), [](const Verdict& a, const Verdict& b) {
      return std::pair(a.kind, a.subject) < std::pair(b.kind, b.subject);
    });
    return std::move(verdicts_);
  }

 private:
  struct Fresh {
    const Row* row = nullptr;
    std::uint32_t age_ms = 0;
  };

  void find(VerdictKind kind, MemberId subject, MemberId other, std::string evidence) {
    verdicts_.push_back({kind, subject, other, std::move(evidence)});
  }

  /// How long `from` has not heard `to`, as far as is known; nothing if `from` cannot say.
  std::optional<std::uint32_t> silence(MemberId from, MemberId to) const {
    const auto at = fresh_.find(from);
    if (at == fresh_.end() || at->second.row->starved) return std::nullopt;
    const LinkView* link = at->second.row->find(to);
    if (link == nullptr) return std::nullopt;
    return link->silent_ms;
  }
  bool hears(MemberId from, MemberId to) const {
    const auto silent_ms = silence(from, to);
    return silent_ms && *silent_ms <= options_.silent_ms;
  }
  bool deaf(MemberId from, MemberId to) const {
    const auto silent_ms = silence(from, to);
    return silent_ms && *silent_ms > options_.silent_ms;
  }

  bool isolated() {
    std::size_t heard = 1;
    for (const MemberId id : members_) heard += id != self_ && hears(self_, id) ? 1 : 0;
    if (heard >= members_.size() / 2 + 1) return false;
    find(VerdictKind::kIsolated, self_, MemberId(),
         name_of_(self_) + " hears " + std::to_string(heard - 1) + " of " +
             std::to_string(members_.size() - 1) + " others: it judges nobody");
    return true;
  }

  void judge_member(MemberId id) {
    if (judge_dead(id)) return;
    const auto known = fresh_.find(id);
    if (known == fresh_.end()) return;
    const Row& row = *known->second.row;
    judge_clock(id, row);
    if (row.stalled) {
      find(VerdictKind::kStalled, id, MemberId(), row.reason);
      return;
    }
    if (row.full) {
      find(VerdictKind::kFull, id, MemberId(),
           "its disk has less room than what is kept for deletes");
    }
    if (!row.unserved.empty()) find(VerdictKind::kUnserved, id, MemberId(), row.unserved);
    if (row.speed == SpeedClass::kSlow) {
      std::string evidence = "score " + std::to_string(static_cast<int>(row.score));
      if (!row.reason.empty()) {
        evidence += ", " + row.reason;
      } else if (row.sync_ms) {
        evidence += ", its log syncs take " + in_ms(*row.sync_ms) + others_syncs(id);
      }
      find(VerdictKind::kSlow, id, MemberId(), evidence);
      slow_nodes_.insert(id);
    }
    judge_gray(id);
  }

  void judge_clock(MemberId id, const Row& row) {
    if (row.clock == ClockState::kFar) {
      find(VerdictKind::kClock, id, MemberId(), describe_off(row.clock_off_ms * 1000));
      return;
    }
    std::size_t heard = 1;
    for (const MemberId other : members_) heard += other != id && hears(id, other) ? 1 : 0;
    if (row.clock == ClockState::kUnknown && row.clock_for_ms >= options_.no_time_ms &&
        heard > members_.size() / 2) {
      find(VerdictKind::kNoTime, id, MemberId(),
           "it hears a majority, but no majority of clocks agrees for " +
               std::to_string(row.clock_for_ms / 1000) + " s: stamps only count on");
    }
  }

  std::string others_syncs(MemberId id) const {
    std::string text;
    for (const auto& [other, fresh] : fresh_) {
      if (other == id || !fresh.row->sync_ms) continue;
      text += (text.empty() ? "; those of " : ", ") + name_of_(other) + " " +
              in_ms(*fresh.row->sync_ms);
    }
    return text;
  }

  /// All who can say, a majority with this member, and they alone decide.
  bool judge_dead(MemberId id) {
    if (id == self_) return false;
    std::size_t deaf_count = 0, say = 0;
    std::uint32_t least_ms = UINT32_MAX;
    for (const MemberId from : members_) {
      if (from == id) continue;
      const auto silent_ms = silence(from, id);
      if (!silent_ms) continue;
      ++say;
      deaf_count += *silent_ms > options_.silent_ms ? 1 : 0;
      least_ms = std::min(least_ms, *silent_ms);
    }
    if (deaf_count < say || say < members_.size() / 2 + 1) return false;
    find(VerdictKind::kDead, id, MemberId(),
         "none of " + std::to_string(say) + " members has heard it for " +
             std::to_string(least_ms) + " ms");
    dead_.insert(id);
    return true;
  }

  /// It answers and calls itself well, and a leader's appends get nowhere.
  void judge_gray(MemberId id) {
    for (const auto& [from, fresh] : fresh_) {
      if (from == id || fresh.row->starved || !fresh.row->leads) continue;
      const LinkView* link = fresh.row->find(id);
      if (link == nullptr || link->append_age_ms <= options_.append_ms || !hears(from, id))
        continue;
      find(VerdictKind::kGray, id, MemberId(),
           "it answers " + name_of_(from) +
               " and calls itself well, but has acknowledged no append for " +
               std::to_string(link->append_age_ms) + " ms");
      return;
    }
  }

  void judge_link(MemberId a, MemberId b) {
    if (dead_.contains(a) || dead_.contains(b)) return;
    const bool a_deaf = deaf(a, b), b_deaf = deaf(b, a);
    if (a_deaf && b_deaf) {
      for (const MemberId third : members_) {
        if (third == a || third == b || !hears(third, a) || !hears(third, b)) continue;
        find(VerdictKind::kPartial, a, b,
             "neither hears the other for " +
                 std::to_string(std::min(*silence(a, b), *silence(b, a))) + " ms; " +
                 name_of_(third) + " hears both");
        return;
      }
    } else if (b_deaf && hears(a, b)) {
      one_way(a, b);
    } else if (a_deaf && hears(b, a)) {
      one_way(b, a);
    }
  }
  void one_way(MemberId from, MemberId to) {
    find(VerdictKind::kOneWay, from, to,
         name_of_(to) + " has not heard " + name_of_(from) + " for " +
             std::to_string(*silence(to, from)) + " ms, which hears it");
  }

  /// The better of what both ends say of the round trip between them.
  std::optional<double> round_trip(MemberId a, MemberId b) const {
    std::optional<double> best;
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      if (!hears(from, to)) continue;
      const LinkView* link = fresh_.at(from).row->find(to);
      if (link->round_trip_ms) best = std::min(best.value_or(1e9), *link->round_trip_ms);
    }
    return best;
  }

  /// A slow link is complained about by its two ends alone; a slow member by all the others, and
  /// then it is not the links (PD's rule).
  void judge_round_trips() {
    std::map<std::pair<MemberId, MemberId>, double> trips;
    std::vector<double> all;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      for (std::size_t j = i + 1; j < members_.size(); ++j) {
        const auto trip = round_trip(members_[i], members_[j]);
        if (!trip) continue;
        trips[{members_[i], members_[j]}] = *trip;
        all.push_back(*trip);
      }
    }
    if (all.size() < 2) return;
    // The lower half is what is usual: with three members a slow one has two of three links.
    std::sort(all.begin(), all.end());
    all.resize(all.size() / 2);
    const double limit_ms =
        std::max(options_.slow_link_min_ms, options_.slow_link_times * median(all));
    std::map<MemberId, std::vector<MemberId>> complaints;
    for (const auto& [ends, trip_ms] : trips) {
      if (trip_ms <= limit_ms) continue;
      complaints[ends.first].push_back(ends.second);
      complaints[ends.second].push_back(ends.first);
    }
    for (const auto& [ends, trip_ms] : trips) {
      if (trip_ms <= limit_ms) continue;
      const MemberId busier = complaints[ends.first].size() >= complaints[ends.second].size()
                                  ? ends.first
                                  : ends.second;
      const std::string evidence =
          "a round trip takes " + in_ms(trip_ms) + ", more than " + in_ms(limit_ms);
      if (complaints[busier].size() < 2) {
        find(VerdictKind::kSlowLink, ends.first, ends.second, evidence);
      } else if (slow_nodes_.insert(busier).second) {
        find(VerdictKind::kSlow, busier, MemberId(),
             "to " + std::to_string(complaints[busier].size()) + " others " + evidence);
      }
    }
  }

  /// After the newest entry for which a majority has digests: whoever has others than a majority
  /// has.
  void judge_states() {
    std::map<std::uint64_t, std::size_t> taken;
    for (const auto& [id, fresh] : fresh_) {
      if (!fresh.row->scrub.empty()) ++taken[fresh.row->scrub_index];
    }
    const std::size_t quorum = members_.size() / 2 + 1;
    std::erase_if(taken, [&](const auto& each) { return each.second < quorum; });
    if (taken.empty()) return;
    const std::uint64_t index = taken.rbegin()->first;
    std::map<std::vector<std::uint64_t>, std::size_t> states;
    for (const auto& [id, fresh] : fresh_) {
      if (fresh.row->scrub_index == index && !fresh.row->scrub.empty()) ++states[fresh.row->scrub];
    }
    bool decided = false;
    for (const auto& [sound, count] : states) {
      if (count < quorum) continue;
      decided = true;
      for (const auto& [id, fresh] : fresh_) {
        const Row& row = *fresh.row;
        if (row.scrub_index != index || row.scrub.empty() || row.scrub == sound) continue;
        find(VerdictKind::kDiverged, id, MemberId(),
             "its state after entry " + std::to_string(index) + " is not that of " +
                 std::to_string(count) + " of " + std::to_string(members_.size()) +
                 " members: " + ranges(row.scrub, sound));
      }
    }
    if (!decided) find_undecided(index, states.begin()->first, states.rbegin()->first);
  }
  void find_undecided(std::uint64_t index, const std::vector<std::uint64_t>& one,
                      const std::vector<std::uint64_t>& other) {
    for (const MemberId id : members_) {
      const auto fresh = fresh_.find(id);
      if (fresh == fresh_.end() || fresh->second.row->scrub_index != index) continue;
      return find(VerdictKind::kUndecided, id, MemberId(),
                  "after entry " + std::to_string(index) +
                      " members' states differ, and none is a majority's: " + ranges(one, other));
    }
  }
  std::string ranges(const std::vector<std::uint64_t>& one,
                     const std::vector<std::uint64_t>& other) const {
    std::string text;
    for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
      if (one[i] == other[i]) continue;
      text += text.empty() ? "" : ", ";
      text += options_.range_name ? options_.range_name(i) : std::to_string(i);
    }
    return text;
  }

  const MemberId self_;
  const std::vector<MemberId>& members_;
  const MatrixOptions& options_;
  const NameOf& name_of_;
  std::map<MemberId, Fresh> fresh_;
  std::set<MemberId> dead_;
  std::set<MemberId> slow_nodes_;
  std::vector<Verdict> verdicts_;
};

}  // namespace

const LinkView* Row::find(MemberId peer) const {
  const auto at = std::find_if(links.begin(), links.end(),
                               [&](const LinkView& link) { return link.peer == peer; });
  return at == links.end() ? nullptr : &*at;
}

std::string_view name_of(VerdictKind kind) {
  static constexpr std::string_view kNames[] = {
      "dead",  "isolated",       "partial",  "one-way",       "slow-link", "slow",     "stalled",
      "clock", "no-agreed-time", "diverged", "states-differ", "full",      "unserved", "gray"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool Matrix::take(Row row, std::uint64_t now_ms, std::uint32_t age_ms) {
  Known& known = rows_[row.observer];
  if (std::pair(row.epoch, row.sequence) <= std::pair(known.row.epoch, known.row.sequence)) {
    return false;
  }
  known.row = std::move(row);
  known.at_ms = now_ms > age_ms ? now_ms - age_ms : 0;
  return true;
}

void Matrix::keep(const std::vector<MemberId>& members) {
  std::erase_if(rows_, [&](const auto& each) {
    return std::find(members.begin(), members.end(), each.first) == members.end();
  });
}

std::vector<Verdict> judge(const Matrix& matrix, MemberId self,
                           const std::vector<MemberId>& members, std::uint64_t now_ms,
                           const MatrixOptions& options, const NameOf& name_of) {
  return Judgement(matrix, self, members, now_ms, options, name_of).run();
}

}  // namespace health
