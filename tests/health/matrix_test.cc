// The verdicts: each from the rows that make it, and none from those that do not.
#include "health/matrix.h"

#include <gtest/gtest.h>

#include <set>

namespace health {
namespace {

using base::MemberId;

/// A cluster whose members all hear each other; tests break it.
class Verdicts : public ::testing::TestWithParam<int> {
 protected:
  static constexpr std::uint64_t kNow = 1'000'000;

  void set_up(int count) {
    for (int i = 1; i <= count; ++i) members_.push_back(MemberId(static_cast<unsigned>(i)));
    for (const MemberId observer : members_) {
      Row& row = rows_[observer];
      row.observer = observer;
      row.sequence = 1;
      for (const MemberId peer : members_) {
        if (peer != observer) row.links.push_back({peer, 50, 0.1, 1.0, 0});
      }
    }
  }
  LinkView& link(unsigned from, unsigned to) {
    for (LinkView& each : rows_.at(MemberId(from)).links) {
      if (each.peer == MemberId(to)) return each;
    }
    ADD_FAILURE() << "no such link";
    return rows_.at(MemberId(from)).links.front();
  }
  Row& row(unsigned id) { return rows_.at(MemberId(id)); }
  void cut(unsigned from, unsigned to) { link(to, from).silent_ms = 900; }
  /// What nobody has heard of for long is known from nobody.
  void silence(unsigned id) {
    for (const MemberId other : members_) {
      if (other == MemberId(id)) continue;
      cut(id, static_cast<unsigned>(other.value));
      cut(static_cast<unsigned>(other.value), id);
    }
    unknown_.insert(MemberId(id));
  }

  std::vector<Verdict> judged_by(unsigned self) {
    Matrix matrix;
    for (const auto& [id, each] : rows_) {
      const bool old = unknown_.contains(id) && id != MemberId(self);
      EXPECT_TRUE(matrix.take(each, kNow, old ? 5000 : 80));
    }
    return judge(matrix, MemberId(self), members_, kNow, MatrixOptions(),
                 [](MemberId id) { return "n" + std::to_string(id.value); });
  }
  /// "dead 3", "one-way 1 2".
  std::set<std::string> names(unsigned self) {
    std::set<std::string> all;
    for (const Verdict& verdict : judged_by(self)) {
      EXPECT_FALSE(verdict.evidence.empty());
      all.insert(std::string(name_of(verdict.kind)) + " " + std::to_string(verdict.subject.value) +
                 (verdict.other ? " " + std::to_string(verdict.other.value) : ""));
    }
    return all;
  }
  using Names = std::set<std::string>;

  std::vector<MemberId> members_;
  std::map<MemberId, Row> rows_;
  std::set<MemberId> unknown_;
};

TEST_P(Verdicts, OfAHealthyClusterThereAreNone) {
  set_up(GetParam());
  EXPECT_EQ(names(1), Names{});
}

TEST_P(Verdicts, WhomNobodyHearsIsDead) {
  set_up(GetParam());
  silence(2);
  EXPECT_EQ(names(1), Names{"dead 2"});
  EXPECT_EQ(names(3), Names{"dead 2"});
}

TEST_P(Verdicts, WhoHearsNobodyBlamesItself) {
  set_up(GetParam());
  silence(2);
  EXPECT_EQ(names(2), Names{"isolated 2"});
}

TEST_P(Verdicts, ACutLinkIsPartialWhereSomebodyHearsBoth) {
  set_up(GetParam());
  cut(1, 2);
  cut(2, 1);
  EXPECT_EQ(names(1), Names{"partial 1 2"});
  EXPECT_EQ(names(3), Names{"partial 1 2"});
}

TEST_P(Verdicts, OneDirectionIsNamed) {
  set_up(GetParam());
  cut(1, 2);
  EXPECT_EQ(names(1), Names{"one-way 1 2"});
  EXPECT_EQ(names(3), Names{"one-way 1 2"});
}

TEST_P(Verdicts, OneSlowLinkIsNoSlowMember) {
  set_up(GetParam());
  link(1, 2).round_trip_ms = link(2, 1).round_trip_ms = 500;
  EXPECT_EQ(names(3), Names{"slow-link 1 2"});
}

TEST_P(Verdicts, AMemberThatIsSlowToAllIsASlowMember) {
  set_up(GetParam());
  for (unsigned other = 2; other <= members_.size(); ++other) {
    link(1, other).round_trip_ms = link(other, 1).round_trip_ms = 500;
  }
  EXPECT_EQ(names(3), Names{"slow 1"});
}

TEST_P(Verdicts, ASlowDiskAndSlowLinksAreOneVerdict) {
  set_up(GetParam());
  row(1).speed = SpeedClass::kSlow;
  for (unsigned other = 2; other <= members_.size(); ++other) {
    link(1, other).round_trip_ms = link(other, 1).round_trip_ms = 500;
  }
  EXPECT_EQ(judged_by(3).size(), 1u) << "a metric may not stand twice";
}

TEST_P(Verdicts, IfAllLinksAreSlowNobodyStandsOut) {
  set_up(GetParam());
  for (auto& [id, each] : rows_) {
    for (LinkView& view : each.links) view.round_trip_ms = 500;
  }
  EXPECT_EQ(names(1), Names{});
}

TEST_P(Verdicts, SlowDisksAndStallsAreTheirOwnWord) {
  set_up(GetParam());
  row(2).speed = SpeedClass::kSlow;
  row(2).sync_ms = 120;
  row(3).stalled = true;
  row(3).reason = "log sync pending for 700 ms";
  EXPECT_EQ(names(1), (Names{"slow 2", "stalled 3"}));
  EXPECT_NE(judged_by(1).front().evidence.find("120 ms"), std::string::npos);
}

TEST_P(Verdicts, WhoAnswersAndTakesInNothingIsGray) {
  set_up(GetParam());
  row(1).leads = true;
  link(1, 2).append_age_ms = 1500;
  EXPECT_EQ(names(3), Names{"gray 2"});
  row(2).stalled = true;
  row(2).reason = "apply pending";
  EXPECT_EQ(names(3), Names{"stalled 2"}) << "it said so itself";
}

TEST_P(Verdicts, OnlyALeaderKnowsOfAppends) {
  set_up(GetParam());
  link(1, 2).append_age_ms = 1500;
  EXPECT_EQ(names(3), Names{});
}

TEST_P(Verdicts, AStarvedObserverAccusesNobody) {
  set_up(GetParam());
  row(2).starved = true;
  cut(1, 2);
  EXPECT_EQ(names(1), Names{});
  EXPECT_EQ(names(2), Names{});
}

TEST_P(Verdicts, OldRowsAreNoEvidence) {
  set_up(GetParam());
  unknown_.insert(MemberId(2));
  cut(1, 2);
  EXPECT_EQ(names(1), Names{});
}

INSTANTIATE_TEST_SUITE_P(Sizes, Verdicts, ::testing::Values(3, 5));

TEST(Matrix, KeepsTheNewestOfEachObserver) {
  Matrix matrix;
  Row row;
  row.observer = MemberId(1);
  row.epoch = 2;
  row.sequence = 7;
  EXPECT_TRUE(matrix.take(row, 1000, 0));
  EXPECT_FALSE(matrix.take(row, 1001, 0)) << "again";
  row.sequence = 6;
  EXPECT_FALSE(matrix.take(row, 1002, 0));
  row.epoch = 3;
  row.sequence = 1;
  EXPECT_TRUE(matrix.take(row, 1003, 100)) << "after a restart it counts anew";
  EXPECT_EQ(matrix.rows().at(MemberId(1)).age_ms(1003), 100u);
  matrix.keep({MemberId(2)});
  EXPECT_TRUE(matrix.rows().empty());
}

}  // namespace
}  // namespace health
