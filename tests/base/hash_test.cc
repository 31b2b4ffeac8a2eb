// Hashes are stored (chain hash, digest) and sent (checksums): they can never change.
#include "base/hash.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Hash64, IsXxh3) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(hash64("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(hash64("abc"), 0x78af5f94892f3950u);
  EXPECT_EQ(hash64(std::string(1000, 'x')), 0xc0a4877b962cba82u);
  EXPECT_EQ(hash64("abc", 7), 0x48ff56f569e39912u);
  EXPECT_EQ(hash64(std::string(1000, 'x'), 7), 0xa6b046c257309584u);
}

TEST(Hasher, IsFixed) {
  EXPECT_EQ(Hasher().value(), 0u);
  EXPECT_EQ(Hasher().add(std::uint64_t{1}).value(), 0x2fbc593564db792eu);
  EXPECT_EQ(Hasher().add("abc").value(), 0x76d087615a059f9u);
  EXPECT_EQ(Hasher().add(std::uint64_t{1}).add("abc").add(std::string(1000, 'x')).value(),
            0xcf465836cdc05105u);
}

TEST(Hasher, NumbersAreLittleEndianBytes) {
  const std::string_view bytes("\x08\x07\x06\x05\x04\x03\x02\x01", 8);
  EXPECT_EQ(Hasher().add(std::uint64_t{0x0102030405060708}).value(), hash64(bytes, 0));
}

TEST(Hasher, PartsAndTheirOrderCount) {
  EXPECT_NE(Hasher().add("ab").add("c").value(), Hasher().add("a").add("bc").value());
  EXPECT_NE(Hasher().add("a").add("b").value(), Hasher().add("b").add("a").value());
  EXPECT_NE(Hasher().add("").value(), Hasher().value());
  EXPECT_NE(Hasher().add(std::uint64_t{0}).value(), Hasher().value());
}

}  // namespace
}  // namespace base
