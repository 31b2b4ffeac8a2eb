// The vectors of the reference (failures.md section 1), and its traps.
#include "health/phi.h"

#include <gtest/gtest.h>

#include <cmath>

namespace health {
namespace {

struct Vector {
  double mean_ms, deviation_ms, pause_ms, silent_ms, phi;
};

TEST(Phi, TheReferencesVectors) {
  for (const Vector& each : {Vector{50, 10, 0, 50, 0.301030}, Vector{50, 10, 0, 75, 2.216071},
                             Vector{50, 10, 0, 100, 7.299947}, Vector{50, 20, 50, 100, 0.301030},
                             Vector{50, 20, 50, 175, 4.218005}, Vector{50, 20, 50, 200, 7.299947},
                             Vector{50, 20, 50, 250, 18.132677}, Vector{50, 20, 50, 300, 37.584713},
                             Vector{50, 20, 50, 1000, 2823.877723}}) {
    EXPECT_NEAR(phi(each.silent_ms, each.mean_ms, each.deviation_ms, each.pause_ms), each.phi,
                5e-7 * std::max(1.0, each.phi))
        << each.silent_ms;
  }
}

TEST(Phi, CrossesWhereTheReferenceSays) {
  for (const auto& [value, at_ms] : {std::pair(1, 126), {3, 161}, {5, 182}, {8, 205}, {12, 226}}) {
    EXPECT_LT(phi(at_ms - 1, 50, 20, 50), value);
    EXPECT_GE(phi(at_ms + 1, 50, 20, 50), value);
  }
}

TEST(Phi, IsFiniteAndKnowsNoNegativeSilence) {
  for (const double silent_ms : {-1e9, 0.0, 1e5, 1e7}) {
    EXPECT_TRUE(std::isfinite(phi(silent_ms, 50, 20, 50))) << silent_ms;
  }
  EXPECT_EQ(phi(-5, 50, 20, 50), phi(0, 50, 20, 50));
}

struct Link {
  /// Speaks so often, each time after so long.
  void speak(int times, std::uint64_t interval_ms) {
    for (int i = 0; i < times; ++i) detector.heard(now_ms += interval_ms);
  }
  PhiAccrual detector{PhiOptions()};
  std::uint64_t now_ms = 1000;
};

TEST(PhiAccrual, NothingHeardNothingSaid) {
  EXPECT_EQ(PhiAccrual(PhiOptions()).value(123456), 0);
}

TEST(PhiAccrual, ARegularLinkIsSuspectedAfterFourHeartbeats) {
  Link link;
  link.speak(300, 50);
  EXPECT_EQ(link.detector.samples(), 200u);
  EXPECT_DOUBLE_EQ(link.detector.mean_ms(), 50);
  EXPECT_DOUBLE_EQ(link.detector.deviation_ms(), 20) << "the floor";
  EXPECT_LT(link.detector.value(link.now_ms + 204), 8);
  EXPECT_GT(link.detector.value(link.now_ms + 206), 8);
  EXPECT_EQ(link.detector.value(link.now_ms + 60'000), 1000) << "no more than can be printed";
}

TEST(PhiAccrual, AnOutageDoesNotBecomeTheUsual) {
  Link link;
  link.speak(200, 50);
  const double before = link.detector.value(link.now_ms + 205);
  link.speak(1, 10'000);
  EXPECT_EQ(link.detector.value(link.now_ms + 205), before);
  link.speak(30, 2);  // what had piled up
  EXPECT_EQ(link.detector.value(link.now_ms + 205), before);
}

TEST(PhiAccrual, AnIrregularLinkIsGivenMoreTime) {
  Link link;
  for (int i = 0; i < 100; ++i) {
    link.speak(1, 20);
    link.speak(1, 140);
  }
  EXPECT_NEAR(link.detector.mean_ms(), 80, 1);
  EXPECT_NEAR(link.detector.deviation_ms(), 60, 1);
  EXPECT_LT(link.detector.value(link.now_ms + 205), 2);
}

TEST(PhiAccrual, TimeThatGoesBackIsNoTime) {
  Link link;
  link.speak(10, 50);
  link.detector.heard(link.now_ms - 500);
  EXPECT_EQ(link.detector.samples(), 10u);
  EXPECT_EQ(link.detector.value(link.now_ms - 500), link.detector.value(link.now_ms));
}

/// A sum of squares of nanoseconds in doubles gave 13.5 for 0.67 (reference).
TEST(PhiAccrual, LargeIntervalsDoNotCancel) {
  PhiOptions options;
  options.deviation_min_ms = 0;
  options.suspect = 1e9;
  PhiAccrual detector(options);
  std::uint64_t now_ms = 0;
  detector.heard(now_ms);
  for (int i = 0; i < 300; ++i) detector.heard(now_ms += 1'000'000 + static_cast<unsigned>(i % 3));
  EXPECT_NEAR(detector.mean_ms(), 1'000'001, 0.02);
  EXPECT_DOUBLE_EQ(detector.deviation_ms(), detector.mean_ms() / 4) << "a quarter of the mean";
}

}  // namespace
}  // namespace health
