// Snapshots from one state machine to another, chunk by chunk, on both engines.
#include "storage/snapshot.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/random.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "tests/conformance/scratch.h"

namespace storage {
namespace {

using base::Code;
using base::Index;
using base::Term;

kv::AppliedEntry entry(std::uint64_t index, std::optional<kv::Command> command) {
  return {
      Index(index),       Term(1),     base::HybridTime(1000 + index), base::ChainHash{index * 31},
      std::move(command), std::nullopt};
}

kv::Command put(kv::SessionId session, std::uint64_t sequence, std::string key, std::string value) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::PutOperation{std::move(key), std::move(value), false});
  return kv::Write{session, sequence, 0, std::move(transaction)};
}

std::unique_ptr<kv::StateMachine> machine_on(std::unique_ptr<kv::Engine> engine) {
  auto machine = kv::StateMachine::open(std::move(engine));
  CHECK(machine.is_ok(), machine.status().to_string());
  return std::move(machine).value();
}

/// Entries 1 .. count: a session, a configuration, then puts.
void fill(kv::StateMachine& machine, std::uint64_t count, std::size_t value_bytes = 50) {
  std::vector<kv::AppliedEntry> entries = {entry(1, std::nullopt), entry(2, kv::OpenSession{})};
  entries[0].configuration = "the configuration";
  for (std::uint64_t i = 3; i <= count; ++i) {
    entries.push_back(entry(i, put(kv::SessionId(2), i - 2, "key" + std::to_string(i % 40),
                                   std::string(value_bytes, 'v'))));
  }
  auto replies = machine.apply(entries, base::Ordinal{9, 9});
  ASSERT_TRUE(replies.is_ok()) << replies.status().to_string();
  for (const auto& reply : replies.value()) EXPECT_EQ(reply.code, Code::kOk) << reply.detail;
}

std::vector<std::string> chunks_of(SnapshotReader& reader) {
  std::vector<std::string> chunks;
  for (bool done = false; !done;) {
    auto chunk = reader.read(chunks.size());
    CHECK(chunk.is_ok(), chunk.status().to_string());
    chunks.push_back(*chunk->data);
    done = chunk->done;
  }
  return chunks;
}

base::Status write_all(SnapshotWriter& writer, const std::vector<std::string>& chunks) {
  for (const std::string& chunk : chunks) {
    if (base::Status status = writer.add(chunk); !status.is_ok()) return status;
  }
  return base::Status::ok();
}

struct Memory {
  static std::unique_ptr<kv::Engine> engine(const std::string&) {
    return std::make_unique<MemoryEngine>();
  }
};
struct Rocks {
  static std::unique_ptr<kv::Engine> engine(const std::string& path) {
    auto engine = RocksEngine::open(path);
    CHECK(engine.is_ok(), engine.status().to_string());
    return std::move(engine).value();
  }
};

template <class Engines>
class SnapshotTest : public testing::Test {
 protected:
  std::unique_ptr<kv::StateMachine> make(const std::string& name) {
    return machine_on(Engines::engine(scratch_.path() + "/" + name));
  }
  conformance::ScratchDirectory scratch_;
};
using Engines = testing::Types<Memory, Rocks>;
TYPED_TEST_SUITE(SnapshotTest, Engines);

TYPED_TEST(SnapshotTest, CarriesTheWholeStateAndItsSessions) {
  auto from = this->make("from");
  fill(*from, 200);
  auto frozen = from->snapshot();
  ASSERT_TRUE(frozen.is_ok());
  SnapshotReader reader(std::move(frozen.value()), 2000);
  const raft::SnapshotMeta meta = meta_of(reader.position());
  EXPECT_EQ(meta.index, Index(200));
  EXPECT_EQ(meta.configuration, "the configuration");
  const auto chunks = chunks_of(reader);
  EXPECT_GT(chunks.size(), 5u);

  auto to = this->make("to");
  fill(*to, 20);
  auto incoming = to->begin_install();
  ASSERT_TRUE(incoming.is_ok());
  SnapshotWriter writer(std::move(incoming.value()));
  ASSERT_TRUE(write_all(writer, chunks).is_ok());
  auto store = writer.finish(meta);
  ASSERT_TRUE(store.is_ok()) << store.status().to_string();
  ASSERT_TRUE(to->install(std::move(store.value())).is_ok());
  kv::Position want = from->position();
  want.log_ordinal = base::Ordinal();  // what the other's log had durable says nothing of this one
  EXPECT_EQ(to->position(), want);
  EXPECT_EQ(to->durable_position(), want);
  EXPECT_EQ(to->sessions(), 1u);
  // A write of before is answered as it was, and both go on alike.
  for (auto* machine : {from.get(), to.get()}) {
    auto again = machine->apply(std::vector{entry(201, put(kv::SessionId(2), 198, "key0", "other")),
                                            entry(202, put(kv::SessionId(2), 199, "key0", "new"))},
                                base::Ordinal{9, 10});
    ASSERT_TRUE(again.is_ok());
    EXPECT_TRUE(again.value()[0].repeated);
    EXPECT_FALSE(again.value()[1].repeated);
  }
  EXPECT_EQ(to->position(), from->position());
}

TYPED_TEST(SnapshotTest, AStateThatIsFurtherAlongIsKept) {
  auto from = this->make("from");
  fill(*from, 50);
  SnapshotReader reader(std::move(from->snapshot().value()), 2000);
  auto to = this->make("to");
  fill(*to, 60);
  SnapshotWriter writer(std::move(to->begin_install().value()));
  ASSERT_TRUE(write_all(writer, chunks_of(reader)).is_ok());
  auto store = writer.finish(meta_of(reader.position()));
  ASSERT_TRUE(store.is_ok());
  EXPECT_EQ(to->install(std::move(store.value())).code(), Code::kInvalidArgument);
  EXPECT_EQ(to->position().applied, Index(60));
  fill(*this->make("other"), 3);
  EXPECT_TRUE(to->apply(std::vector{entry(61, std::nullopt)}, {}).is_ok()) << "it goes on";
}

TYPED_TEST(SnapshotTest, AnyChunkCanBeReadAgain) {
  auto from = this->make("from");
  fill(*from, 100);
  SnapshotReader reader(std::move(from->snapshot().value()), 1000);
  EXPECT_EQ(reader.read(1).status().code(), Code::kInvalidArgument) << "not before the first";
  const auto chunks = chunks_of(reader);
  for (std::uint64_t i = chunks.size(); i > 0; --i) {
    auto again = reader.read(i - 1);
    ASSERT_TRUE(again.is_ok());
    EXPECT_EQ(*again->data, chunks[i - 1]);
    EXPECT_EQ(again->done, i == chunks.size());
  }
  EXPECT_EQ(reader.read(chunks.size()).status().code(), Code::kInvalidArgument);
}

class Damage : public testing::Test {
 protected:
  void SetUp() override {
    machine_ = machine_on(std::make_unique<MemoryEngine>());
    fill(*machine_, 12, 5);
    SnapshotReader reader(std::move(machine_->snapshot().value()), 300);
    meta_ = meta_of(reader.position());
    chunks_ = chunks_of(reader);
    ASSERT_GT(chunks_.size(), 2u);
  }
  bool accepted(const std::vector<std::string>& chunks) {
    auto empty = machine_on(std::make_unique<MemoryEngine>());
    SnapshotWriter writer(std::move(empty->begin_install().value()));
    return write_all(writer, chunks).is_ok() && writer.finish(meta_).is_ok();
  }
  std::unique_ptr<kv::StateMachine> machine_;
  raft::SnapshotMeta meta_;
  std::vector<std::string> chunks_;
};

TEST_F(Damage, EveryFlippedByteIsFound) {
  ASSERT_TRUE(accepted(chunks_));
  for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    for (std::size_t at = 0; at < chunks_[chunk].size(); ++at) {
      auto bad = chunks_;
      bad[chunk][at] ^= static_cast<char>(1 << (at % 8));
      EXPECT_FALSE(accepted(bad)) << "chunk " << chunk << " byte " << at;
    }
  }
}

TEST_F(Damage, EveryMissingEndIsFound) {
  for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    for (std::size_t size = 0; size < chunks_[chunk].size(); ++size) {
      auto bad = chunks_;
      bad[chunk].resize(size);
      EXPECT_FALSE(accepted(bad)) << "chunk " << chunk << " of " << size << " bytes";
    }
  }
}

TEST_F(Damage, ChunksThatAreMissingRepeatedOrSwappedAreFound) {
  for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    auto missing = chunks_;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(chunk));
    EXPECT_FALSE(accepted(missing)) << chunk;
    auto repeated = chunks_;
    repeated.insert(repeated.begin() + static_cast<std::ptrdiff_t>(chunk), chunks_[chunk]);
    EXPECT_FALSE(accepted(repeated)) << chunk;
    auto swapped = chunks_;
    std::swap(swapped[chunk], swapped[(chunk + 1) % chunks_.size()]);
    EXPECT_FALSE(accepted(swapped)) << chunk;
  }
}

/// A chunk of another snapshot fits in number and in itself, and not behind the one before it.
TEST_F(Damage, ChunksOfTwoSnapshotsDoNotMix) {
  auto other = machine_on(std::make_unique<MemoryEngine>());
  fill(*other, 13, 5);
  SnapshotReader reader(std::move(other->snapshot().value()), 300);
  const auto others = chunks_of(reader);
  for (std::size_t chunk = 1; chunk < std::min(chunks_.size(), others.size()); ++chunk) {
    auto mixed = chunks_;
    mixed[chunk] = others[chunk];
    EXPECT_FALSE(accepted(mixed)) << chunk;
  }
  EXPECT_FALSE(accepted(others)) << "whole, and not what was announced";
}

}  // namespace
}  // namespace storage
