#include "client/ctl/escape.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace client::ctl {
namespace {

TEST(Escape, ShowsEveryByte) {
  EXPECT_EQ(escape(std::string("a\0\xff\\ \n", 6)), "a\\x00\\xff\\\\ \\x0a");
}

TEST(Escape, RoundTrips) {
  base::Random random(1);
  for (int i = 0; i < 500; ++i) {
    std::string bytes;
    for (std::uint64_t n = random.below(40); n > 0; --n)
      bytes += static_cast<char>(random.below(256));
    auto back = unescape(escape(bytes));
    ASSERT_TRUE(back.is_ok());
    EXPECT_EQ(back.value(), bytes);
  }
}

TEST(Escape, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"\\", "a\\x", "\\x1", "\\xg0", "\\q"})
    EXPECT_FALSE(unescape(text).is_ok()) << text;
  EXPECT_EQ(unescape("\\n\\t\\\"\\x41").value(), "\n\t\"A");
}

// RFC 4648, section 10.
TEST(Base64, TestVectors) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64(std::string("\xff\xfe\0", 3)), "//4A");
}

}  // namespace
}  // namespace client::ctl
