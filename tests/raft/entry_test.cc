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

}  // namespace
}  // namespace raft
