#include "client/ctl/duration.h"

#include <gtest/gtest.h>

namespace client::ctl {
namespace {

TEST(Duration, ReadsUnits) {
  EXPECT_EQ(parse_duration_ms("500ms").value(), 500u);
  EXPECT_EQ(parse_duration_ms("5s").value(), 5000u);
  EXPECT_EQ(parse_duration_ms("1.5s").value(), 1500u);
  EXPECT_EQ(parse_duration_ms("2m").value(), 120000u);
  EXPECT_EQ(parse_duration_ms("1h").value(), 3600000u);
  EXPECT_EQ(parse_duration_ms("250").value(), 250u);
}

TEST(Duration, RefusesTheRest) {
  for (const char* text : {"", "s", "0", "0s", "-1s", "5 s", "5x", "1e9s", "25h", "nan", "inf",
                           "99999999999999999999s", "5s5", "0x10"})
    EXPECT_FALSE(parse_duration_ms(text).is_ok()) << text;
}

TEST(Duration, AgesMayBeLongOrNone) {
  EXPECT_EQ(parse_age_ms("0").value(), 0u);
  EXPECT_EQ(parse_age_ms("7d").value(), 7u * 24 * 3600 * 1000);
  EXPECT_EQ(parse_age_ms("90s").value(), 90'000u);
  for (const char* text : {"", "-1s", "1w", "99999999d"}) {
    EXPECT_FALSE(parse_age_ms(text).is_ok()) << text;
  }
}

TEST(Duration, MomentsInThreeForms) {
  constexpr std::uint64_t kNowMs = 1'796'000'000'000;
  EXPECT_EQ(parse_moment_ms("-5m", kNowMs).value(), kNowMs - 300'000);
  EXPECT_EQ(parse_moment_ms("1796000000001", kNowMs).value(), kNowMs + 1);
  EXPECT_EQ(parse_moment_ms("2026-11-30T04:26:40Z", kNowMs).value(), 1'796'012'800'000u);
  EXPECT_EQ(parse_moment_ms("2026-11-30T04:26:40.5Z", kNowMs).value(), 1'796'012'800'500u);
  EXPECT_EQ(format_moment(1'796'012'800'500), "2026-11-30T04:26:40.500Z");
  for (const char* text : {"", "-", "5m", "-0s", "2026-11-30", "2026-11-30T04:26:40",
                           "2026-11-30T04:26:40.5", "2026-11-30T04:26:40+1", "yesterday"})
    EXPECT_FALSE(parse_moment_ms(text, kNowMs).is_ok()) << text;
}

}  // namespace
}  // namespace client::ctl
