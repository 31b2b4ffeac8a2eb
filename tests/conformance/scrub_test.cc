// Digests of a state: the same wherever the same entries were applied, on both engines, whatever
// was swept, moved or reopened meanwhile; and another one wherever a row is another one.
#include "kv/scrub.h"

#include <gtest/gtest.h>

#include <memory>

#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "tests/conformance/scratch.h"
#include "tests/kv/generator.h"

namespace conformance {
namespace {

using kv::ScrubDigests;
using kv::Space;

ScrubDigests digests_of(kv::StateMachine& machine, std::size_t slice_bytes) {
  auto frozen = machine.snapshot();
  EXPECT_TRUE(frozen.is_ok());
  kv::ScrubReading reading(std::move(frozen).value());
  EXPECT_EQ(reading.index(), machine.position().applied);
  for (;;) {
    const auto more = reading.advance(slice_bytes);
    EXPECT_TRUE(more.is_ok()) << more.status().to_string();
    if (!more.is_ok() || !more.value()) return reading.digests();
  }
}

/// Their names.
std::string differing_ranges(const ScrubDigests& one, const ScrubDigests& other) {
  std::string text;
  for (std::size_t i = 0; i < kv::kScrubRanges; ++i) {
    if (one[i] != other[i]) text += (text.empty() ? "" : ", ") + kv::name_of_scrub_range(i);
  }
  return text;
}

class Scrubs : public testing::Test {
 protected:
  Scrubs() { reopen(); }
  void reopen() {
    rocks_.reset();
    memory_.reset();
    auto engine = storage::RocksEngine::open(scratch_.path() + "/state").value();
    rocks_engine_ = engine.get();
    rocks_ = kv::StateMachine::open(std::move(engine), kv::small_limits()).value();
    memory_ =
        kv::StateMachine::open(std::make_unique<storage::MemoryEngine>(disk_), kv::small_limits())
            .value();
  }
  void apply(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const kv::AppliedEntry entry = generator_.entry(base::Index(++index_));
      ASSERT_TRUE(rocks_->apply({&entry, 1}, {1, index_}).is_ok());
      ASSERT_TRUE(memory_->apply({&entry, 1}, {2, index_ * 3}).is_ok());
      if (index_ % 5 == 0) (void)rocks_->sweep(3000).is_ok();
    }
  }

  ScratchDirectory scratch_;
  std::shared_ptr<storage::MemoryStateDisk> disk_ = std::make_shared<storage::MemoryStateDisk>();
  kv::Generator generator_{4711};
  kv::Engine* rocks_engine_ = nullptr;
  std::unique_ptr<kv::StateMachine> rocks_, memory_;
  std::uint64_t index_ = 0;
};

TEST_F(Scrubs, OfTheSameEntriesAreTheSame) {
  ScrubDigests before{};
  for (int i = 0; i < 40 && !HasFailure(); ++i) {
    apply(250);
    const ScrubDigests one = digests_of(*rocks_, 1 << 20);
    EXPECT_EQ(one, digests_of(*memory_, 700)) << differing_ranges(one, digests_of(*memory_, 1));
    EXPECT_NE(one, before);
    before = one;
    if (i % 10 == 9) {
      ASSERT_TRUE(rocks_->flush().is_ok() && memory_->flush().is_ok());
      reopen();
    }
  }
  EXPECT_TRUE(memory_->position().compacted) << "something was left out";
}

TEST_F(Scrubs, ARowThatIsAnotherOneIsSeenInItsRange) {
  apply(2000);
  const ScrubDigests sound = digests_of(*memory_, 1 << 20);
  for (const Space space :
       {Space::kLatest, Space::kHistory, Space::kVersions, Space::kSessions, Space::kLeases}) {
    kv::EngineRow last;
    bool found = false;
    // Of the versions the newest, which no compaction has come to: its key ends lowest.
    const auto age = [&](std::string_view key) {
      return space == Space::kVersions ? key.substr(key.size() - 8) : std::string_view();
    };
    const base::Status scanned = rocks_engine_->scan(space, "", "", [&](auto key, auto value) {
      if (!found || age(key) <= age(last.key)) {
        last = {space, std::string(key), std::string(value)};
      }
      found = true;
      return true;
    });
    ASSERT_TRUE(scanned.is_ok() && found) << static_cast<int>(space);
    kv::EngineBatch rot;
    std::string altered = last.value;
    altered.back() = static_cast<char>(altered.back() ^ 1);
    rot.put(space, last.key, altered);
    ASSERT_TRUE(rocks_engine_->commit(rot).is_ok());
    const std::string where = differing_ranges(digests_of(*rocks_, 1 << 20), sound);
    EXPECT_NE(where, "");
    EXPECT_EQ(where.find(','), std::string::npos) << where << " are two ranges";
    kv::EngineBatch lost;
    lost.remove(space, last.key);
    ASSERT_TRUE(rocks_engine_->commit(lost).is_ok());
    EXPECT_EQ(differing_ranges(digests_of(*rocks_, 1 << 20), sound), where) << "it is missing";
    kv::EngineBatch mended;
    mended.put(space, last.key, last.value);
    ASSERT_TRUE(rocks_engine_->commit(mended).is_ok());
    EXPECT_EQ(digests_of(*rocks_, 1 << 20), sound);
  }
}

TEST(ScrubRanges, HaveNames) {
  EXPECT_EQ(kv::name_of_scrub_range(6), "keys 60..6f");
  EXPECT_EQ(kv::name_of_scrub_range(kv::kScrubRanges - 1), "leases");
  EXPECT_EQ(kv::name_of_scrub_range(15), "keys f0..ff");
  EXPECT_EQ(kv::name_of_scrub_range(16), "history");
}

}  // namespace
}  // namespace conformance
