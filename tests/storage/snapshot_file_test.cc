// Snapshot files: what is read is what was written, and nothing altered is taken for it.
#include "storage/snapshot_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "kv/row.h"
#include "storage/memory_engine.h"
#include "tests/conformance/scratch.h"

namespace storage {
namespace {

using base::Code;
using base::Index;

std::unique_ptr<kv::StateMachine> machine_with(std::uint64_t keys, std::size_t value_bytes) {
  auto machine = kv::StateMachine::open(std::make_unique<MemoryEngine>()).value();
  std::vector<kv::AppliedEntry> entries;
  for (std::uint64_t i = 1; i <= keys + 1; ++i) {
    kv::AppliedEntry entry{
        Index(i), base::Term(3), base::HybridTime(1000 + i), base::ChainHash{i * 31}, {}, {}};
    kv::Write write{base::SessionId(1), i - 1, 0, {}};
    write.transaction.then.push_back(
        kv::PutOperation{"key" + std::to_string(i), std::string(value_bytes, 'v'), false});
    if (i == 1) {
      entry.command = kv::OpenSession{};
    } else {
      entry.command = write;
    }
    entries.push_back(std::move(entry));
  }
  CHECK(machine->apply(entries, base::Ordinal{9, 9}).is_ok());
  return machine;
}

std::string bytes_of(kv::StateMachine& machine, std::size_t chunk_bytes) {
  SnapshotFileSource source(std::move(machine.snapshot().value()), base::ClusterId(7),
                            base::MemberId(8), 1234567, chunk_bytes);
  std::string bytes;
  for (bool done = false; !done;) {
    auto part = source.next();
    CHECK(part.is_ok(), part.status().to_string());
    bytes += part->data;
    done = part->done;
  }
  return bytes;
}

class SnapshotFiles : public testing::Test {
 protected:
  base::Result<SnapshotFileSummary> summary_of(const std::string& bytes) {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes;
    return summarize_snapshot_file(path());
  }
  std::string path() const { return scratch_.path() + "/snapshot"; }

  conformance::ScratchDirectory scratch_;
  std::unique_ptr<kv::StateMachine> machine_ = machine_with(6, 40);
  const std::string bytes_ = bytes_of(*machine_, 300);
};

TEST_F(SnapshotFiles, SayWhatTheyHold) {
  auto summary = summary_of(bytes_);
  ASSERT_TRUE(summary.is_ok()) << summary.status().to_string();
  EXPECT_EQ(summary->header.cluster, base::ClusterId(7));
  EXPECT_EQ(summary->header.member, base::MemberId(8));
  EXPECT_EQ(summary->header.created_ms, 1234567u);
  EXPECT_EQ(summary->header.position.applied, Index(7));
  EXPECT_EQ(summary->header.position.revision, base::Revision(6));
  EXPECT_EQ(summary->header.position.digest, machine_->position().digest);
  EXPECT_EQ(summary->header.position.log_ordinal, base::Ordinal()) << "a claim on another's log";
  EXPECT_EQ(summary->keys, 6u);
  EXPECT_EQ(summary->events, 6u);
  EXPECT_EQ(summary->sessions, 1u);
  EXPECT_GT(summary->chunks, 3u);
  EXPECT_EQ(summary->bytes, bytes_.size());
}

TEST_F(SnapshotFiles, BecomeTheSameState) {
  ASSERT_TRUE(summary_of(bytes_).is_ok());
  auto file = SnapshotFile::open(path());
  ASSERT_TRUE(file.is_ok());
  auto engine = std::make_unique<MemoryEngine>();
  auto rows = load_snapshot_file(file.value(), std::move(engine->begin_install().value()));
  ASSERT_TRUE(rows.is_ok()) << rows.status().to_string();
  ASSERT_TRUE(engine->install(std::move(rows).value()).is_ok());
  auto loaded = kv::StateMachine::open(std::move(engine)).value();
  EXPECT_EQ(loaded->position(), file->header().position);
  kv::Transaction all;
  all.then.push_back(kv::RangeOperation{{std::string(1, '\0'), std::string(1, '\0')}});
  EXPECT_EQ(loaded->read(all).value(), machine_->read(all).value());
  EXPECT_EQ(loaded->sessions(), 1u);
}

TEST_F(SnapshotFiles, EveryFlippedByteIsRefusedWithItsPlace) {
  for (std::size_t at = 0; at < bytes_.size(); ++at) {
    std::string bad = bytes_;
    bad[at] ^= static_cast<char>(1 << (at % 8));
    const auto summary = summary_of(bad);
    ASSERT_FALSE(summary.is_ok()) << "byte " << at;
    EXPECT_NE(summary.status().detail().find(path()), std::string::npos);
    const bool newer = summary.status().code() == Code::kNewerFormat;
    EXPECT_TRUE(newer || summary.status().detail().find("at byte ") != std::string::npos)
        << summary.status().to_string();
  }
}

TEST_F(SnapshotFiles, EveryMissingEndAndEverythingMoreIsRefused) {
  for (std::size_t size = 0; size < bytes_.size(); ++size) {
    const auto summary = summary_of(bytes_.substr(0, size));
    ASSERT_FALSE(summary.is_ok()) << size << " bytes";
    EXPECT_EQ(summary.status().code(), Code::kCorrupt);
    EXPECT_NE(summary.status().detail().find("at byte " + std::to_string(size)), std::string::npos)
        << summary.status().to_string();
  }
  EXPECT_FALSE(summary_of(bytes_ + '\0').is_ok());
  EXPECT_FALSE(summary_of(bytes_ + bytes_).is_ok());
}

/// Each part may be sound by itself: the header of one file does not go with the rest of another.
TEST_F(SnapshotFiles, TwoFilesDoNotMix) {
  const auto other = machine_with(7, 40);
  const std::string others = bytes_of(*other, 300);
  const std::size_t header = bytes_.find(kv::encode_position([&] {
    auto position = machine_->position();
    position.log_ordinal = {};
    return position;
  }()));
  ASSERT_NE(header, std::string::npos);
  const std::size_t end = header + kv::encode_position(machine_->position()).size() + 8;
  EXPECT_FALSE(summary_of(bytes_.substr(0, end) + others.substr(end)).is_ok());
  EXPECT_TRUE(summary_of(others).is_ok());
}

TEST_F(SnapshotFiles, WhatIsNoSnapshotIsSaidPlainly) {
  const auto summary = summary_of(std::string(1000, 'x'));
  ASSERT_FALSE(summary.is_ok());
  EXPECT_NE(summary.status().detail().find("no snapshot of Holdfast"), std::string::npos);
  std::filesystem::remove(path());
  EXPECT_EQ(summarize_snapshot_file(path()).status().code(), Code::kIo);
}

}  // namespace
}  // namespace storage
