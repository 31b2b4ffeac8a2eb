// The same cases on the RocksDB engine and its memory twin: what kv::Engine promises.
#include "kv/engine.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <type_traits>

#include "base/random.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "tests/conformance/scratch.h"

namespace conformance {
namespace {

using kv::EngineBatch;
using kv::Space;
using Rows = std::map<std::string, std::string>;

class RocksEngineHost {
 public:
  std::unique_ptr<kv::Engine> open() {
    auto engine = storage::RocksEngine::open(scratch_.path() + "/state");
    CHECK(engine.is_ok(), engine.status().to_string());
    return std::move(engine).value();
  }

 private:
  ScratchDirectory scratch_;
};

class MemoryEngineHost {
 public:
  std::unique_ptr<kv::Engine> open() { return std::make_unique<storage::MemoryEngine>(disk_); }

 private:
  std::shared_ptr<storage::MemoryStateDisk> disk_ = std::make_shared<storage::MemoryStateDisk>();
};

template <class Host>
class EngineTest : public testing::Test {
 protected:
  EngineTest() : engine_(host_.open()) {}

  void commit(const EngineBatch& batch) { ASSERT_TRUE(engine_->commit(batch).is_ok()); }
  void put(Space space, std::string key, std::string value) {
    EngineBatch batch;
    batch.put(space, std::move(key), std::move(value));
    commit(batch);
  }
  std::optional<std::string> get(Space space, std::string_view key) {
    auto value = engine_->get(space, key);
    CHECK(value.is_ok());
    return value.value();
  }
  Rows scan(Space space, std::string_view begin, std::string_view end) {
    Rows rows;
    std::string last;
    const auto status = engine_->scan(space, begin, end, [&](auto key, auto value) {
      EXPECT_TRUE(rows.empty() || last < key) << "scans go up in byte order";
      last = key;
      rows.emplace(key, value);
      return true;
    });
    EXPECT_TRUE(status.is_ok());
    return rows;
  }

  Host host_;
  std::unique_ptr<kv::Engine> engine_;
};

using EngineHosts = testing::Types<RocksEngineHost, MemoryEngineHost>;
class EngineHostNames {
 public:
  template <class Host>
  static std::string GetName(int) {
    return std::is_same_v<Host, RocksEngineHost> ? "Rocks" : "Memory";
  }
};
TYPED_TEST_SUITE(EngineTest, EngineHosts, EngineHostNames);

TYPED_TEST(EngineTest, SpacesAreApart) {
  this->put(Space::kLatest, "k", "latest");
  this->put(Space::kHistory, "k", "history");
  this->put(Space::kSessions, "k", "sessions");
  this->put(Space::kMeta, "k", "meta");
  EXPECT_EQ(this->get(Space::kLatest, "k"), "latest");
  EXPECT_EQ(this->get(Space::kHistory, "k"), "history");
  EXPECT_EQ(this->get(Space::kSessions, "k"), "sessions");
  EXPECT_EQ(this->get(Space::kMeta, "k"), "meta");
  EXPECT_EQ(this->get(Space::kMeta, "other"), std::nullopt);
}

TYPED_TEST(EngineTest, LaterChangesOfABatchWin) {
  EngineBatch batch;
  batch.put(Space::kLatest, "a", "1");
  batch.remove(Space::kLatest, "a");
  batch.put(Space::kLatest, "b", "1");
  batch.put(Space::kLatest, "b", "2");
  batch.remove(Space::kLatest, "c");
  batch.put(Space::kLatest, "c", "3");
  this->commit(batch);
  EXPECT_EQ(this->scan(Space::kLatest, "", ""), (Rows{{"b", "2"}, {"c", "3"}}));
}

TYPED_TEST(EngineTest, ScansAreHalfOpenInByteOrder) {
  const std::string zero("\0", 1), high("\xff\xff");
  for (const std::string& key : {std::string("b"), std::string("a"), std::string("a") + zero, high,
                                 zero, std::string("ab")}) {
    this->put(Space::kLatest, key, "v" + key);
  }
  EXPECT_EQ(this->scan(Space::kLatest, "", "").size(), 6u);
  EXPECT_EQ(this->scan(Space::kLatest, "a", "b").size(), 3u);
  EXPECT_EQ(this->scan(Space::kLatest, "a", "a" + zero).size(), 1u);
  EXPECT_EQ(this->scan(Space::kLatest, "b", "").size(), 2u);
  EXPECT_EQ(this->scan(Space::kLatest, "c", "b").size(), 0u);
  EXPECT_EQ(this->get(Space::kLatest, zero), "v" + zero);
}

TYPED_TEST(EngineTest, AScanStopsWhenTold) {
  for (char key = 'a'; key <= 'z'; ++key) this->put(Space::kLatest, std::string(1, key), "v");
  int visited = 0;
  ASSERT_TRUE(
      this->engine_->scan(Space::kLatest, "c", "", [&](auto, auto) { return ++visited < 3; })
          .is_ok());
  EXPECT_EQ(visited, 3);
}

TYPED_TEST(EngineTest, OnlyWhatWasFlushedIsDurable) {
  EXPECT_EQ(this->engine_->durable_meta("position"), std::nullopt);
  this->put(Space::kMeta, "position", "1");
  EXPECT_EQ(this->engine_->durable_meta("position"), std::nullopt);
  ASSERT_TRUE(this->engine_->flush().is_ok());
  EXPECT_EQ(this->engine_->durable_meta("position"), "1");
  this->put(Space::kMeta, "position", "2");
  this->put(Space::kLatest, "k", "v");
  EXPECT_EQ(this->engine_->durable_meta("position"), "1");
  EXPECT_EQ(this->get(Space::kMeta, "position"), "2");
  ASSERT_TRUE(this->engine_->flush().is_ok());
  EXPECT_EQ(this->engine_->durable_meta("position"), "2");
  ASSERT_TRUE(this->engine_->flush().is_ok()) << "with nothing to do";
}

TYPED_TEST(EngineTest, WhatWasFlushedIsFoundAgain) {
  this->put(Space::kLatest, "k", "v");
  this->put(Space::kMeta, "position", "7");
  ASSERT_TRUE(this->engine_->flush().is_ok());
  this->engine_.reset();
  this->engine_ = this->host_.open();
  EXPECT_EQ(this->get(Space::kLatest, "k"), "v");
  EXPECT_EQ(this->engine_->durable_meta("position"), "7");
}

/// Against a map, through many batches and flushes.
TYPED_TEST(EngineTest, BehavesLikeAMap) {
  base::Random random(7);
  std::map<std::pair<Space, std::string>, std::string> model;
  for (int round = 0; round < 300; ++round) {
    EngineBatch batch;
    for (std::uint64_t change = random.below(8); change > 0; --change) {
      const auto space = static_cast<Space>(random.below(kv::kSpaces));
      const std::string key = "k" + std::to_string(random.below(50));
      if (random.chance(3)) {
        batch.remove(space, key);
        model.erase({space, key});
      } else {
        const std::string value = std::to_string(random.next());
        batch.put(space, key, value);
        model[{space, key}] = value;
      }
    }
    this->commit(batch);
    if (random.chance(40)) {
      ASSERT_TRUE(this->engine_->flush().is_ok());
    }
  }
  std::map<std::pair<Space, std::string>, std::string> found;
  for (std::size_t space = 0; space < kv::kSpaces; ++space) {
    for (auto& [key, value] : this->scan(static_cast<Space>(space), "", "")) {
      found[{static_cast<Space>(space), key}] = value;
    }
  }
  EXPECT_EQ(found, model);
}

// ---- Snapshots ----

std::vector<kv::EngineRow> rows_of(kv::EngineSnapshot& snapshot, std::size_t limit_bytes) {
  std::vector<kv::EngineRow> rows;
  std::optional<kv::EngineCursor> at = kv::EngineCursor();
  while (at) {
    auto page = snapshot.read(*at, limit_bytes);
    CHECK(page.is_ok(), page.status().to_string());
    EXPECT_FALSE(page->rows.empty() && page->next);
    rows.insert(rows.end(), page->rows.begin(), page->rows.end());
    at = page->next;
  }
  return rows;
}

TYPED_TEST(EngineTest, ASnapshotIsOfOneMoment) {
  for (int i = 0; i < 100; ++i) {
    this->put(static_cast<Space>(i % 4), "k" + std::to_string(i), std::string(100, 'v'));
  }
  auto snapshot = this->engine_->snapshot();
  ASSERT_TRUE(snapshot.is_ok());
  const auto before = rows_of(*snapshot.value(), 1000);
  ASSERT_EQ(before.size(), 100u);
  for (std::size_t i = 1; i < before.size(); ++i) {
    EXPECT_TRUE(std::pair(before[i - 1].space, before[i - 1].key) <
                std::pair(before[i].space, before[i].key))
        << "by space, then by key";
  }
  EngineBatch batch;
  batch.remove(before.front().space, before.front().key);
  batch.put(Space::kLatest, "later", "x");
  this->commit(batch);
  ASSERT_TRUE(this->engine_->flush().is_ok());
  EXPECT_EQ(rows_of(*snapshot.value(), 1), before) << "row by row";
  EXPECT_EQ(rows_of(*snapshot.value(), 1 << 20), before) << "in one page";
  EXPECT_EQ(this->get(Space::kLatest, "later"), "x");
  std::vector<std::string> keys;
  const base::Status scanned =
      snapshot.value()->scan(Space::kLatest, "k4", "k8", [&](std::string_view key, auto) {
        keys.emplace_back(key);
        return keys.size() < 3;
      });
  EXPECT_TRUE(scanned.is_ok());
  EXPECT_EQ(keys, (std::vector<std::string>{"k4", "k40", "k44"})) << "of the same moment";
}

TYPED_TEST(EngineTest, AnEmptyEngineHasAnEmptySnapshot) {
  auto snapshot = this->engine_->snapshot();
  ASSERT_TRUE(snapshot.is_ok());
  EXPECT_TRUE(rows_of(*snapshot.value(), 100).empty());
}

TYPED_TEST(EngineTest, AnInstalledStoreTakesThePlaceOfAllRows) {
  for (int i = 0; i < 50; ++i) this->put(Space::kLatest, "old" + std::to_string(i), "x");
  ASSERT_TRUE(this->engine_->flush().is_ok());
  this->put(Space::kMeta, "unflushed", "x");
  auto abandoned = this->engine_->begin_install();
  ASSERT_TRUE(abandoned.is_ok());
  ASSERT_TRUE(abandoned.value()->add({{Space::kLatest, "never", "x"}}).is_ok());
  abandoned->reset();
  auto incoming = this->engine_->begin_install();
  ASSERT_TRUE(incoming.is_ok());
  ASSERT_TRUE(
      incoming.value()->add({{Space::kLatest, "a", "1"}, {Space::kHistory, "b", "2"}}).is_ok());
  ASSERT_TRUE(incoming.value()->add({{Space::kMeta, "position", "7"}}).is_ok());
  EXPECT_EQ(incoming.value()->get(Space::kHistory, "b").value(), "2");
  EXPECT_EQ(incoming.value()->get(Space::kHistory, "c").value(), std::nullopt);
  this->put(Space::kLatest, "meanwhile", "x");
  ASSERT_TRUE(incoming.value()->finish().is_ok());
  ASSERT_TRUE(this->engine_->install(std::move(incoming.value())).is_ok());
  const auto check = [&] {
    EXPECT_EQ(this->scan(Space::kLatest, "", ""), (Rows{{"a", "1"}}));
    EXPECT_EQ(this->scan(Space::kHistory, "", ""), (Rows{{"b", "2"}}));
    EXPECT_EQ(this->engine_->durable_meta("position"), "7") << "durable at once";
    EXPECT_EQ(this->engine_->durable_meta("unflushed"), std::nullopt);
  };
  check();
  // It survives an end without a flush, and can be written to.
  this->engine_.reset();
  this->engine_ = this->host_.open();
  check();
  this->put(Space::kLatest, "next", "x");
  EXPECT_EQ(this->get(Space::kLatest, "next"), "x");
}

TYPED_TEST(EngineTest, WhatWasNotInstalledIsGoneAtTheNextOpening) {
  this->put(Space::kLatest, "old", "x");
  ASSERT_TRUE(this->engine_->flush().is_ok());
  {
    auto incoming = this->engine_->begin_install();
    ASSERT_TRUE(incoming.is_ok());
    ASSERT_TRUE(incoming.value()->add({{Space::kLatest, "new", "x"}}).is_ok());
    ASSERT_TRUE(incoming.value()->finish().is_ok());
  }
  this->engine_.reset();
  this->engine_ = this->host_.open();
  EXPECT_EQ(this->scan(Space::kLatest, "", ""), (Rows{{"old", "x"}}));
}

TEST(RocksEngineInstall, ASnapshotOfTheOldStateSaysThatItIsGone) {
  RocksEngineHost host;
  auto engine = host.open();
  EngineBatch batch;
  batch.put(Space::kLatest, "old", "x");
  ASSERT_TRUE(engine->commit(batch).is_ok());
  auto snapshot = engine->snapshot();
  ASSERT_TRUE(snapshot.is_ok());
  auto incoming = engine->begin_install();
  ASSERT_TRUE(incoming.is_ok());
  ASSERT_TRUE(incoming.value()->finish().is_ok());
  ASSERT_TRUE(engine->install(std::move(incoming.value())).is_ok());
  EXPECT_EQ(snapshot.value()->read({}, 100).status().code(), base::Code::kUnavailable);
}

}  // namespace
}  // namespace conformance
