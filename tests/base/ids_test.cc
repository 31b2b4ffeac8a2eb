#include "base/ids.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace base {
namespace {

// What must not compile: numbers of different kinds do not mix.
static_assert(!std::is_convertible_v<Term, Index>);
static_assert(!std::is_convertible_v<std::uint64_t, Term>);
static_assert(!std::is_convertible_v<Term, std::uint64_t>);
static_assert(!std::is_assignable_v<MemberId&, ClusterId>);

TEST(Counter, StepsAndCompares) {
  EXPECT_FALSE(Index());
  EXPECT_TRUE(Index(1));
  EXPECT_EQ(Index(4).next(), Index(5));
  EXPECT_EQ(Index(4).previous(), Index(3));
  EXPECT_EQ(Index(4) + 3, Index(7));
  EXPECT_EQ(Index(7) - Index(4), 3u);
  EXPECT_LT(Term(1), Term(2));
}

TEST(Ids, HashAndOrderByNumber) {
  EXPECT_FALSE(MemberId());
  EXPECT_TRUE(MemberId(3));
  const std::unordered_set<MemberId> set{MemberId(1), MemberId(2), MemberId(1)};
  EXPECT_EQ(set.size(), 2u);
}

TEST(Ordinal, OrdersByEpochThenCounter) {
  EXPECT_LT((Ordinal{1, 9}), (Ordinal{2, 0}));
  EXPECT_LT((Ordinal{2, 0}), (Ordinal{2, 1}));
}

TEST(Hex, IsSixteenDigitsAndComesBack) {
  EXPECT_EQ(to_hex(0), "0000000000000000");
  EXPECT_EQ(to_hex(0x123abc), "0000000000123abc");
  EXPECT_EQ(to_hex(~std::uint64_t{0}), "ffffffffffffffff");
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, 0xdeadbeef12345678u}) {
    std::uint64_t back = 7;
    EXPECT_TRUE(from_hex(to_hex(value), &back));
    EXPECT_EQ(back, value);
  }
}

TEST(Hex, RefusesWhatIsNone) {
  for (const char* text : {"", "g", "0x1", " 1", "1 ", "-1", "00000000000000001"}) {
    std::uint64_t value = 7;
    EXPECT_FALSE(from_hex(text, &value)) << text;
    EXPECT_EQ(value, 7u);
  }
  std::uint64_t value = 0;
  EXPECT_TRUE(from_hex("aBc", &value));
  EXPECT_EQ(value, 0xabcu);
}

}  // namespace
}  // namespace base
