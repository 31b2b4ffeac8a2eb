#include "server/generation_fence.h"

#include <gtest/gtest.h>

namespace server {
namespace {

using base::Index;

Index in_generation(std::uint64_t generation, std::uint64_t index) {
  return Index(generation * kv::kGenerationStep + index);
}

/// Of a directory whose state and log end there; zero: empty.
GenerationFence fence_at(Index applied, Index last) {
  kv::Position position;
  position.applied = applied;
  raft::Recovered recovered;
  if (last) {
    recovered.first = last;
    recovered.metas.resize(1);
  }
  return GenerationFence(position, recovered);
}

raft::Message of(std::optional<std::uint64_t> generation, std::uint64_t epoch = 1) {
  raft::Message message;
  message.from = base::MemberId(2);
  message.opening = {epoch, 5};
  message.generation = generation;
  return message;
}

TEST(GenerationFence, HearsItsOwnGenerationAndNoOther) {
  const auto fence = fence_at(in_generation(3, 7), in_generation(3, 9));
  EXPECT_EQ(fence.own(), 3u);
  EXPECT_TRUE(fence.admits(of(3)));
  for (const std::uint64_t other : {0, 2, 4}) EXPECT_FALSE(fence.admits(of(other)));
}

TEST(GenerationFence, ALogWithoutItsStateIsOfItsGenerationToo) {
  EXPECT_EQ(fence_at(Index(), Index(40)).own(), 0u) << "a crash may lose the whole state";
  EXPECT_FALSE(fence_at(Index(), Index(40)).admits(of(1)));
  EXPECT_EQ(fence_at(Index(), in_generation(2, 40)).own(), 2u);
  EXPECT_EQ(fence_at(in_generation(1, 7), Index()).own(), 1u) << "and the other way round";
}

TEST(GenerationFence, WhoHoldsNothingHearsAllAndIsHeard) {
  auto fence = fence_at(Index(), Index());
  EXPECT_EQ(fence.own(), std::nullopt);
  for (const std::uint64_t generation : {0, 1, 9}) EXPECT_TRUE(fence.admits(of(generation)));
  EXPECT_TRUE(fence_at(Index(7), Index(7)).admits(of(std::nullopt)));
}

TEST(GenerationFence, WithTheFirstEntryComesTheGeneration) {
  auto fence = fence_at(Index(), Index());
  raft::PersistRequest request;
  request.hard_state = raft::HardState{base::Term(4), {}, {}};
  fence.observe(request);
  EXPECT_EQ(fence.own(), std::nullopt) << "a term is no history";
  auto entry = std::make_shared<raft::Entry>();
  entry->index = Index(1);
  request.entries = {entry};
  fence.observe(request);
  EXPECT_EQ(fence.own(), 0u);
  EXPECT_FALSE(fence.admits(of(1)));

  auto joins = fence_at(Index(), Index());
  request.entries.clear();
  request.restart = raft::LogStart{in_generation(1, 7), {}, {}};
  joins.observe(request);
  EXPECT_EQ(joins.own(), 1u) << "a snapshot brings it along";
}

TEST(GenerationFence, TellsOnceAnOpeningAndWhoIsToGo) {
  auto fence = fence_at(in_generation(3, 7), in_generation(3, 9));
  EXPECT_TRUE(fence.refused_first(of(2)));
  EXPECT_FALSE(fence.refused_first(of(2)));
  EXPECT_TRUE(fence.refused_first(of(2, 2)));
  EXPECT_NE(fence.reason(of(2)).find("without it"), std::string::npos);
  EXPECT_NE(fence.reason(of(4)).find("without this member"), std::string::npos);
}

}  // namespace
}  // namespace server
