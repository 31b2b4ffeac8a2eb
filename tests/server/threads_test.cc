// The log, apply and disk threads, each run on a thread of the test with a scripted store behind
// it.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "server/apply_thread.h"
#include "server/disk_thread.h"
#include "server/log_thread.h"
#include "storage/codec.h"
#include "storage/memory_engine.h"

namespace server {
namespace {

using base::Code;
using base::Index;
using base::Ordinal;
using base::Status;
using namespace std::chrono_literals;

/// What a thread posted, and whether it gave up. Waits are bounded.
class Posts {
 public:
  PostToLoop post() {
    return [this](std::vector<LoopEvent> events) {
      std::lock_guard lock(mutex_);
      for (auto& event : events) events_.push_back(std::move(event));
      batches_.push_back(events.size());
      changed_.notify_all();
    };
  }
  Fatal fatal() {
    return [this](const Status& status) {
      std::lock_guard lock(mutex_);
      fatal_ = status;
      changed_.notify_all();
    };
  }
  template <class Done>
  bool wait(Done done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return done(); });
  }
  bool wait_for(std::size_t events) {
    return wait([&] { return events_.size() >= events; });
  }
  bool wait_for_fatal() {
    return wait([&] { return !fatal_.is_ok(); });
  }
  const std::vector<LoopEvent>& events() const { return events_; }
  std::size_t batches() const { return batches_.size(); }
  const Status& fatal_status() const { return fatal_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LoopEvent> events_;
  std::vector<std::size_t> batches_;
  Status fatal_;
};

/// Records calls; an append waits while `hold` is set.
class ScriptedLog final : public storage::LogStore {
 public:
  const storage::LogContents& contents() const override { return contents_; }
  base::Opening opening() const override { return {1, 1}; }
  storage::Identity identity() const override { return {}; }
  Status append(std::span<const raft::PersistRequest> requests) override {
    std::unique_lock lock(mutex_);
    appends.push_back({});
    for (const auto& request : requests) appends.back().push_back(request.ordinal.counter);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !hold_; });
    return append_status;
  }
  base::Result<std::vector<raft::EntryPtr>> load(Index from, Index, std::size_t) override {
    if (!load_status.is_ok()) return load_status;
    auto entry = std::make_shared<raft::Entry>();
    entry->index = from;
    return std::vector<raft::EntryPtr>{entry};
  }
  Status cut(Index through, base::Term, base::ChainHash) override {
    cut_through = through;
    return cut_status;
  }
  Status sync_watermark() override {
    std::lock_guard lock(mutex_);
    ++watermarks_;
    changed_.notify_all();
    return watermark_status;
  }
  Status quarantine(const std::string& why) override {
    quarantined = why;
    return Status::ok();
  }
  Status restart_after(Index, base::Term, base::ChainHash) override { return Status::ok(); }
  std::uint64_t syncs() const override { return 0; }
  std::uint64_t size_bytes() const override { return 0; }

  void hold(bool on) {
    std::lock_guard lock(mutex_);
    hold_ = on;
    changed_.notify_all();
  }
  bool wait_for_appends(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return appends.size() >= count; });
  }
  bool wait_for_watermarks(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return watermarks_ >= count; });
  }

  std::vector<std::vector<std::uint64_t>> appends;
  Status append_status, load_status, cut_status, watermark_status;
  Index cut_through;
  std::string quarantined;

 private:
  storage::LogContents contents_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_ = false;
  int watermarks_ = 0;
};

raft::PersistRequest request(std::uint64_t counter) {
  raft::PersistRequest request;
  request.ordinal = {1, counter};
  return request;
}

struct LogFixture {
  ScriptedLog store;
  Posts posts;
  Stamp stamp;
  AppendTimes times;
  ProcessFaults faults;
  LogThread log{store, posts.post(), posts.fatal(), stamp, times, faults};
  std::thread thread;

  void start() {
    thread = std::thread([this] { log.run(); });
  }
  ~LogFixture() {
    store.hold(false);
    log.stop();
    if (thread.joinable()) thread.join();
  }
};

TEST(LogThread, WhatQueuesUpDuringASyncSharesTheNextOne) {
  LogFixture fixture;
  fixture.store.hold(true);
  fixture.log.append(request(1));
  fixture.start();
  ASSERT_TRUE(fixture.store.wait_for_appends(1));
  for (std::uint64_t counter = 2; counter <= 6; ++counter) fixture.log.append(request(counter));
  EXPECT_TRUE(fixture.posts.events().empty()) << "called durable what is not";
  EXPECT_NE(fixture.stamp.at_ms.load(), 0u);
  fixture.store.hold(false);
  ASSERT_TRUE(fixture.posts.wait_for(2));
  ASSERT_EQ(fixture.store.appends.size(), 2u);
  EXPECT_EQ(fixture.store.appends[1], (std::vector<std::uint64_t>{2, 3, 4, 5, 6}));
  EXPECT_EQ(std::get<PersistedEvent>(fixture.posts.events()[0]).ordinal, (Ordinal{1, 1}));
  EXPECT_EQ(std::get<PersistedEvent>(fixture.posts.events()[1]).ordinal, (Ordinal{1, 6}));
  EXPECT_EQ(fixture.times.whole.read().count, 2u);
}

/// A member that catches up writes megabytes with each sync, and its disk is no slower for it.
TEST(LogThread, ALargeWriteIsTimedByThePiece) {
  LogFixture fixture;
  fixture.store.hold(true);
  raft::PersistRequest large = request(1);
  auto entry = std::make_shared<raft::Entry>();
  entry->payload = std::string(100 * AppendTimes::kPieceBytes, 'x');
  large.entries.push_back(entry);
  fixture.log.append(std::move(large));
  fixture.start();
  ASSERT_TRUE(fixture.store.wait_for_appends(1));
  EXPECT_EQ(fixture.times.pieces_now.load(), 101u);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  fixture.store.hold(false);
  ASSERT_TRUE(fixture.posts.wait_for(1));
  const auto whole = fixture.times.whole.read(), piece = fixture.times.piece.read();
  EXPECT_EQ(whole.count, 1u);
  EXPECT_EQ(piece.count, 1u);
  EXPECT_GE(whole.sum_us, 50'000u);
  EXPECT_LE(piece.sum_us, whole.sum_us / 50);
}

TEST(LogThread, AnErrorIsFinal) {
  LogFixture fixture;
  fixture.store.append_status = {Code::kIo, "broken"};
  fixture.log.append(request(1));
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for_fatal());
  fixture.log.append(request(2));
  fixture.thread.join();  // it ended by itself
  EXPECT_EQ(fixture.store.appends.size(), 1u) << "tried again after an error";
  ASSERT_EQ(fixture.posts.events().size(), 1u);
  EXPECT_EQ(std::get<PersistFailedEvent>(fixture.posts.events()[0]).status.code(), Code::kIo);
}

TEST(LogThread, StopsOnlyOnceTheQueueIsWritten) {
  LogFixture fixture;
  for (std::uint64_t counter = 1; counter <= 3; ++counter) fixture.log.append(request(counter));
  fixture.log.stop();
  fixture.start();
  fixture.thread.join();
  ASSERT_EQ(fixture.posts.events().size(), 1u);
  EXPECT_EQ(std::get<PersistedEvent>(fixture.posts.events()[0]).ordinal, (Ordinal{1, 3}));
}

// ---- Apply ----

struct ApplyFixture {
  std::shared_ptr<storage::MemoryStateDisk> disk = std::make_shared<storage::MemoryStateDisk>();
  Posts posts;
  Stamp stamp;
  ProcessFaults faults;
  ApplyThread apply{kv::StateMachine::open(std::make_unique<storage::MemoryEngine>(disk)).value(),
                    posts.post(), posts.fatal(), stamp, faults};
  std::thread thread;
  std::uint64_t last = 0;

  void start() {
    thread = std::thread([this] { apply.run(); });
  }
  ~ApplyFixture() {
    apply.stop();
    if (thread.joinable()) thread.join();
  }
  raft::EntryPtr entry(std::string payload, raft::EntryKind kind = raft::EntryKind::kCommand) {
    auto made = std::make_shared<raft::Entry>();
    made->term = base::Term(1);
    made->index = Index(++last);
    made->kind = kind;
    made->time = base::HybridTime(last, 0);
    made->payload = std::move(payload);
    return made;
  }
  raft::EntryPtr put(std::uint64_t sequence, std::string value) {
    kv::Write write;
    write.session = base::SessionId(1);
    write.sequence = sequence;
    write.transaction.then.push_back(kv::PutOperation{.key = "k", .value = std::move(value)});
    return entry(storage::encode(write));
  }
  raft::EntryPtr open_session() { return entry(storage::encode(kv::OpenSession{})); }
};

kv::Transaction get_k() {
  kv::Transaction transaction;
  transaction.then.push_back(kv::RangeOperation{.range = {"k", ""}});
  return transaction;
}

std::string value_of(const LoopEvent& event) {
  const auto& result = std::get<ReadDoneEvent>(event).result.value().results.at(0);
  return std::get<kv::RangeResult>(result).items.at(0).value;
}

TEST(ApplyThread, ServesEntriesAndReadsInTheirOrder) {
  ApplyFixture fixture;
  fixture.apply.apply({fixture.open_session(), fixture.put(1, "old")}, {1, 1});
  fixture.apply.read(7, get_k());
  fixture.apply.apply({fixture.put(2, "new")}, {1, 2});
  fixture.apply.read(8, get_k());
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for(4));
  const auto& events = fixture.posts.events();
  const auto& first = std::get<AppliedEvent>(events[0]);
  EXPECT_EQ(first.entries.size(), 2u);
  EXPECT_EQ(first.replies.at(0).session, base::SessionId(1));
  EXPECT_EQ(first.position.applied, Index(2));
  EXPECT_EQ(value_of(events[1]), "old");
  EXPECT_EQ(std::get<ReadDoneEvent>(events[1]).request, 7u);
  EXPECT_EQ(std::get<ReadDoneEvent>(events[1]).position.applied, Index(2));
  EXPECT_EQ(value_of(events[3]), "new");
  EXPECT_EQ(fixture.apply.sessions(), 1u);
}

TEST(ApplyThread, AnEntryThatIsNoCommandStopsTheNode) {
  ApplyFixture fixture;
  fixture.apply.apply({fixture.open_session()}, {1, 1});
  fixture.apply.apply({fixture.entry("not a command")}, {1, 1});
  fixture.apply.read(1, get_k());
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for_fatal());
  fixture.thread.join();
  EXPECT_EQ(fixture.posts.fatal_status().code(), Code::kCorrupt);
  ASSERT_EQ(fixture.posts.events().size(), 1u) << "went on after the entry";
  EXPECT_TRUE(std::holds_alternative<AppliedEvent>(fixture.posts.events()[0]));
}

TEST(ApplyThread, LargeBatchesCompleteSliceBySlice) {
  ApplyFixture fixture;
  std::vector<raft::EntryPtr> entries = {fixture.open_session()};
  for (std::uint64_t i = 1; i <= 6; ++i)
    entries.push_back(fixture.put(i, std::string(600'000, 'v')));
  fixture.apply.apply(std::move(entries), {1, 1});
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for(3));
  Index last;
  for (const auto& event : fixture.posts.events()) {
    const auto& applied = std::get<AppliedEvent>(event);
    EXPECT_EQ(applied.entries.front()->index, last.next());
    last = applied.entries.back()->index;
    EXPECT_EQ(applied.position.applied, last);
  }
  EXPECT_EQ(last, Index(7));
}

TEST(ApplyThread, OtherEntriesMoveThePositionOnly) {
  ApplyFixture fixture;
  raft::Configuration configuration{{{base::MemberId(1), base::Incarnation(2)}}};
  fixture.apply.apply({fixture.entry("", raft::EntryKind::kEmpty),
                       fixture.entry(encode(configuration), raft::EntryKind::kConfiguration)},
                      {1, 1});
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for(1));
  const auto& applied = std::get<AppliedEvent>(fixture.posts.events()[0]);
  EXPECT_EQ(applied.position.applied, Index(2));
  EXPECT_EQ(applied.position.configuration, encode(configuration));
  EXPECT_EQ(applied.position.revision, base::Revision());
}

TEST(ApplyThread, FlushesAtTheEnd) {
  ApplyFixture fixture;
  fixture.apply.apply({fixture.open_session(), fixture.put(1, "v")}, {1, 1});
  fixture.apply.stop();
  fixture.start();
  fixture.thread.join();
  EXPECT_EQ(fixture.apply.durable_applied(), Index(2));
  EXPECT_EQ(fixture.disk->unflushed(), 0u);
}

// ---- Disk ----

struct DiskFixture {
  ScriptedLog store;
  Posts posts;
  Stamp stamp;
  LogSink lines{{.node = "n1", .level = LogLevel::kError, .fd = -1}};
  ProcessFaults faults;
  SpaceProbe space{"/", faults};
  /// The state into which snapshots are installed.
  std::unique_ptr<kv::StateMachine> machine =
      kv::StateMachine::open(std::make_unique<storage::MemoryEngine>()).value();
  DiskThread disk{
      store, [this] { return machine->begin_install(); }, posts.post(), posts.fatal(), stamp, lines,
      space};
  std::thread thread;

  void start() {
    thread = std::thread([this] { disk.run(); });
  }
  ~DiskFixture() {
    disk.stop();
    if (thread.joinable()) thread.join();
  }
};

/// A disk thread whose snapshots go into the state of an apply thread.
struct SnapshotReceiver {
  explicit SnapshotReceiver(ApplyFixture& into)
      : disk(
            store, [&into] { return into.apply.begin_install(); }, posts.post(), posts.fatal(),
            stamp, lines, space) {}
  ScriptedLog store;
  Posts posts;
  Stamp stamp;
  LogSink lines{{.node = "n2", .level = LogLevel::kError, .fd = -1}};
  ProcessFaults faults;
  SpaceProbe space{"/", faults};
  DiskThread disk;
  std::thread thread;

  void start() {
    thread = std::thread([this] { disk.run(); });
  }
  ~SnapshotReceiver() {
    disk.stop();
    if (thread.joinable()) thread.join();
  }
};

TEST(DiskThread, SyncsTheWatermarkAgainAndAgainAndAtTheEnd) {
  DiskFixture fixture;
  fixture.start();
  EXPECT_TRUE(fixture.store.wait_for_watermarks(3));
  fixture.disk.stop();
  fixture.thread.join();
  EXPECT_TRUE(fixture.store.wait_for_watermarks(4));
}

TEST(DiskThread, LoadsCutsAndQuarantines) {
  DiskFixture fixture;
  fixture.disk.load({base::MemberId(2), Index(5), Index(9), 1000});
  fixture.disk.cut(Index(4), base::Term(1), {});
  fixture.disk.quarantine("why");
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for(2));
  const auto& loaded = std::get<LoadedEvent>(fixture.posts.events()[0]);
  EXPECT_EQ(loaded.peer, base::MemberId(2));
  EXPECT_EQ(loaded.entries.at(0)->index, Index(5));
  EXPECT_EQ(std::get<CutEvent>(fixture.posts.events()[1]).through, Index(4));
  fixture.disk.stop();
  fixture.thread.join();
  EXPECT_EQ(fixture.store.quarantined, "why");
}

TEST(DiskThread, AFailedLoadIsAnEmptyOneUnlessTheLogIsCorrupt) {
  DiskFixture fixture;
  fixture.store.load_status = {Code::kInvalidArgument, "cut away"};
  fixture.disk.load({base::MemberId(2), Index(5), Index(9), 1000});
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for(1));
  EXPECT_TRUE(std::get<LoadedEvent>(fixture.posts.events()[0]).entries.empty());
  EXPECT_TRUE(fixture.posts.fatal_status().is_ok());

  DiskFixture corrupt;
  corrupt.store.load_status = {Code::kCorrupt, "rotten"};
  corrupt.disk.load({base::MemberId(2), Index(5), Index(9), 1000});
  corrupt.start();
  ASSERT_TRUE(corrupt.posts.wait_for_fatal());
  corrupt.thread.join();
  EXPECT_TRUE(corrupt.posts.events().empty());
}

TEST(DiskThread, ASnapshotGoesFromOneStateToAnother) {
  ApplyFixture from;
  from.apply.apply({from.open_session(), from.put(1, "v")}, {1, 1});
  DiskFixture sender;
  from.apply.freeze([&](kv::StateSnapshot frozen) {
    sender.disk.send_snapshot(base::MemberId(2), std::move(frozen));
  });
  from.start();
  sender.start();
  ASSERT_TRUE(sender.posts.wait_for(1));
  const auto read = std::get<raft::SnapshotRead>(sender.posts.events()[0]);
  ASSERT_NE(read.data, nullptr);
  EXPECT_EQ(read.peer, base::MemberId(2));
  EXPECT_EQ(read.snapshot.index, Index(2));
  EXPECT_TRUE(read.done);

  ApplyFixture to;
  SnapshotReceiver receiver(to);
  receiver.disk.store_snapshot({5, read.snapshot, 0, read.data, true});
  receiver.disk.take_snapshot([&](std::unique_ptr<kv::IncomingEngine> store) {
    to.apply.install(std::move(store), read.snapshot);
  });
  receiver.start();
  ASSERT_TRUE(receiver.posts.wait_for(1));
  EXPECT_EQ(std::get<SnapshotStoredEvent>(receiver.posts.events()[0]).id, 5u);
  EXPECT_TRUE(std::get<SnapshotStoredEvent>(receiver.posts.events()[0]).ok);
  to.start();
  ASSERT_TRUE(to.posts.wait_for(2));
  // No lease of before is left, which is said first.
  EXPECT_TRUE(std::holds_alternative<LeasesChangedEvent>(to.posts.events()[0]));
  EXPECT_EQ(std::get<SnapshotInstalledEvent>(to.posts.events()[1]).position.applied, Index(2));
  to.apply.read(10, get_k());
  ASSERT_TRUE(to.posts.wait_for(3));
  EXPECT_EQ(value_of(to.posts.events().back()), "v");
  EXPECT_EQ(to.apply.durable_applied(), Index(2));
}

TEST(DiskThread, ADamagedChunkEndsTheTransferAndNotTheNode) {
  DiskFixture fixture;
  fixture.disk.store_snapshot({1, {}, 0, std::make_shared<const std::string>("damaged"), false});
  fixture.disk.store_snapshot({2, {}, 1, std::make_shared<const std::string>("late"), false});
  fixture.disk.read_snapshot({base::MemberId(3), Index(7), 0});
  fixture.start();
  ASSERT_TRUE(fixture.posts.wait_for(3));
  EXPECT_FALSE(std::get<SnapshotStoredEvent>(fixture.posts.events()[0]).ok);
  EXPECT_FALSE(std::get<SnapshotStoredEvent>(fixture.posts.events()[1]).ok);
  EXPECT_EQ(std::get<raft::SnapshotRead>(fixture.posts.events()[2]).data, nullptr);
  EXPECT_TRUE(fixture.posts.fatal_status().is_ok());
}

TEST(DiskThread, AFailedWriteIsFinal) {
  DiskFixture cut;
  cut.store.cut_status = {Code::kIo, "broken"};
  cut.disk.cut(Index(4), base::Term(1), {});
  cut.start();
  ASSERT_TRUE(cut.posts.wait_for_fatal());
  EXPECT_TRUE(cut.posts.events().empty());

  DiskFixture watermark;
  watermark.store.watermark_status = {Code::kIo, "broken"};
  watermark.start();
  EXPECT_TRUE(watermark.posts.wait_for_fatal());
}

}  // namespace
}  // namespace server
