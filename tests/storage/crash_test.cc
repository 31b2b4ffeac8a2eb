// kill -9 of a process that writes: what it was told is durable is there, nothing alarms, and the
// state is of one moment.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "storage/data_directory.h"
#include "storage/rocks_engine.h"
#include "tests/conformance/log_writer.h"
#include "tests/conformance/scratch.h"
#include "tests/storage/child.h"

namespace storage_test {
namespace {

using base::Index;
using base::MemberId;
using base::Term;
using conformance::LogWriter;
using conformance::ScratchDirectory;

std::unique_ptr<storage::DataDirectory> open_directory(const std::string& path) {
  auto directory = storage::DataDirectory::open(
      {.path = path, .cluster = base::ClusterId(1), .member = MemberId(2)});
  CHECK(directory.is_ok(), directory.status().to_string());
  return std::move(directory).value();
}

/// The entry of each index says where it stands, so that what is found can be checked alone.
std::string payload(Index index) {
  return std::to_string(index.value) + std::string(index.value % 3000, 'x');
}

/// Appends for ever, with votes, truncations and cuts between, and reports what is acknowledged:
/// "last ordinal-counter".
void append_for_ever() {
  auto directory = open_directory(child_directory());
  storage::LogStore& log = directory->log();
  LogWriter writer(log);
  base::Random random(log.opening().epoch);
  const auto append = [&](const raft::PersistRequest& request) {
    CHECK(log.append({&request, 1}).is_ok());
    report(std::to_string(writer.last().value) + " " + std::to_string(writer.term().value));
  };
  append(writer.vote(writer.term().next(), MemberId(1)));
  while (true) {
    const std::uint64_t what = random.below(100);
    if (what == 0) {
      append(writer.vote(writer.term().next(), MemberId(1)));
    } else if (what == 1) {
      CHECK(log.sync_watermark().is_ok());
    } else if (what == 2 && writer.last() > writer.first()) {
      const Index through = writer.first() + (writer.last() - writer.first()) / 2;
      const auto meta = writer.meta(through);
      CHECK(log.cut(through, meta.term, meta.hash).is_ok());
      writer.cut(through);
    } else {
      append(writer.append({payload(writer.last().next())}));
    }
  }
}

const auto* const kAppendRole =
    testing::AddGlobalTestEnvironment(new ChildRole("append", append_for_ever));

TEST(Crash, WhatWasAcknowledgedIsThereAndNothingAlarms) {
  ScratchDirectory scratch;
  base::Random random(20261125);
  for (int round = 0; round < 12; ++round) {
    std::uint64_t last = 0, term = 0;
    {
      Child child("append", scratch.path() + "/n1");
      for (std::uint64_t left = 1 + random.below(400); left > 0; --left) {
        const std::string line = child.next_line();
        ASSERT_FALSE(line.empty()) << "the child ended by itself";
        last = std::stoull(line);
        term = std::stoull(line.substr(line.find(' ')));
      }
      child.kill();
    }
    auto directory = open_directory(scratch.path() + "/n1");
    storage::LogStore& log = directory->log();
    const auto& contents = log.contents();
    ASSERT_EQ(contents.quarantine, std::nullopt);
    const Index found = contents.first.previous() + contents.metas.size();
    EXPECT_GE(found, Index(last));
    EXPECT_GE(contents.hard_state.term, Term(term));
    for (Index index = contents.first; index <= found;) {
      auto loaded = log.load(index, found, 1 << 20);
      ASSERT_TRUE(loaded.is_ok()) << loaded.status().to_string();
      for (const auto& entry : loaded.value()) EXPECT_EQ(entry->payload, payload(entry->index));
      index = loaded->back()->index.next();
    }
  }
}

constexpr int kKeys = 100;

/// Each commit puts its number into every space and into one key of many. Mostly RocksDB flushes by
/// itself, when the one space that grows has filled its memtable.
void commit_for_ever() {
  auto opened = storage::RocksEngine::open(child_directory());
  CHECK(opened.is_ok(), opened.status().to_string());
  kv::Engine& engine = *opened.value();
  const auto before = engine.get(kv::Space::kMeta, "number");
  std::uint64_t number = before.value().has_value() ? std::stoull(*before.value()) : 0;
  base::Random random(number);
  while (true) {
    ++number;
    kv::EngineBatch batch;
    const std::string text = std::to_string(number);
    for (const kv::Space space :
         {kv::Space::kLatest, kv::Space::kHistory, kv::Space::kSessions, kv::Space::kMeta}) {
      batch.put(space, "number", text);
    }
    batch.put(kv::Space::kLatest, "key" + std::to_string(number % kKeys),
              text + std::string(random.below(8000), 'v'));
    CHECK(engine.commit(batch).is_ok());
    if (random.chance(4000)) {
      CHECK(engine.flush().is_ok());
      const auto durable = engine.durable_meta("number");
      CHECK(durable == text, "a flush makes durable what was committed");
      report(text);
    } else if (random.chance(50)) {
      // What would be found after a crash now.
      report(engine.durable_meta("number").value_or("0"));
    }
  }
}

const auto* const kCommitRole =
    testing::AddGlobalTestEnvironment(new ChildRole("commit", commit_for_ever));

TEST(Crash, TheStateIsOfOneMomentAndNotOlderThanItsDurablePosition) {
  ScratchDirectory scratch;
  base::Random random(7);
  for (int round = 0; round < 8; ++round) {
    std::uint64_t durable = 0;
    {
      Child child("commit", scratch.path() + "/state");
      for (std::uint64_t left = 1 + random.below(300); left > 0; --left) {
        const std::string line = child.next_line();
        ASSERT_FALSE(line.empty()) << "the child ended by itself";
        durable = std::stoull(line);
      }
      child.kill();
    }
    auto engine = std::move(storage::RocksEngine::open(scratch.path() + "/state")).value();
    const auto get = [&](kv::Space space, const std::string& key) -> std::uint64_t {
      const auto value = engine->get(space, key);
      CHECK(value.is_ok());
      return value.value().has_value() ? std::stoull(*value.value()) : 0;
    };
    const std::uint64_t number = get(kv::Space::kMeta, "number");
    EXPECT_GE(number, durable);
    EXPECT_EQ(get(kv::Space::kLatest, "number"), number);
    EXPECT_EQ(get(kv::Space::kHistory, "number"), number);
    EXPECT_EQ(get(kv::Space::kSessions, "number"), number);
    for (std::uint64_t key = 0; key < kKeys && number >= kKeys; ++key) {
      const std::uint64_t newest = number - (number + kKeys - key) % kKeys;
      EXPECT_EQ(get(kv::Space::kLatest, "key" + std::to_string(key)), newest);
    }
  }
}

}  // namespace
}  // namespace storage_test
