#include "raft/entry.h"

#include <gtest/gtest.h>

namespace raft {
namespace {

Entry sample() {
  Entry entry;
  entry.term = Term(3);
  entry.index = Index(7);
  entry.kind = EntryKind::kCommand;
  entry.time = HybridTime(1000, 2);
  entry.payload = "payload";
  return entry;
}

TEST(Entry, TheChainHashCoversEverythingButItself) {
  const Entry entry = sample();
  const ChainHash hash = chain_hash(ChainHash{5}, entry);
  EXPECT_EQ(hash, chain_hash(ChainHash{5}, sample()));
  EXPECT_NE(hash, chain_hash(ChainHash{6}, entry));
  const auto differs = [&](auto change) {
    Entry other = sample();
    change(other);
    return chain_hash(ChainHash{5}, other) != hash;
  };
  EXPECT_TRUE(differs([](Entry& e) { e.term = Term(4); }));
  EXPECT_TRUE(differs([](Entry& e) { e.index = Index(8); }));
  EXPECT_TRUE(differs([](Entry& e) { e.kind = EntryKind::kEmpty; }));
  EXPECT_TRUE(differs([](Entry& e) { e.time = HybridTime(1000, 3); }));
  EXPECT_TRUE(differs([](Entry& e) { e.payload = "payloaD"; }));
  EXPECT_FALSE(differs([](Entry& e) { e.hash = ChainHash{9}; }));
}

TEST(Entry, TheChainHashIsTheSameForEver) {
  // Stored in every log: a change of this number is a change of the format.
  EXPECT_EQ(chain_hash(ChainHash{5}, sample()).value, 1521229107355882910u);
}

TEST(Configuration, EncodesAndDecodes) {
  const Configuration configuration{{{MemberId(1), Incarnation(10)},
                                     {MemberId(2), Incarnation()},
                                     {MemberId(~0ull), Incarnation(3)}}};
  EXPECT_EQ(decode_configuration(encode(configuration)), configuration);
  EXPECT_EQ(decode_configuration(encode(Configuration())), Configuration());
  EXPECT_TRUE(configuration.unbound());
  EXPECT_EQ(configuration.quorum(), 2u);
  ASSERT_NE(configuration.find(MemberId(2)), nullptr);
  EXPECT_EQ(configuration.find(MemberId(3)), nullptr);
}

TEST(Configuration, RefusesEverythingElse) {
  const std::string good =
      encode(Configuration{{{MemberId(1), Incarnation(10)}, {MemberId(2), {}}}});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_configuration(good.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_configuration(good + "x"));
  std::string version = good;
  version[0] = 2;
  EXPECT_FALSE(decode_configuration(version));
  std::string count = good;
  count[4] = '\x7f';
  EXPECT_FALSE(decode_configuration(count));
  const std::string unsorted =
      encode(Configuration{{{MemberId(2), Incarnation(10)}, {MemberId(1), {}}}});
  EXPECT_FALSE(decode_configuration(unsorted));
  const std::string nobody = encode(Configuration{{{MemberId(0), Incarnation(10)}}});
  EXPECT_FALSE(decode_configuration(nobody));
}

}  // namespace
}  // namespace raft
