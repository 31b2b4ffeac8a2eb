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

}  // namespace
}  // namespace client::ctl
