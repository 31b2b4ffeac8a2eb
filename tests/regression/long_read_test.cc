// A count over millions of keys was one piece of work of the apply thread: no entry was applied
// meanwhile, and a leader that was asked for it called itself stalled and handed over, again and
// again. Now entries pass it.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "kv/row.h"
#include "server/apply_thread.h"
#include "storage/codec.h"
#include "storage/memory_engine.h"

namespace regression {
namespace {

using server::ApplyThread;
using namespace std::chrono_literals;

constexpr int kKeys = 40'000;  // of 100 bytes: several slices

std::unique_ptr<kv::StateMachine> machine_with_many_keys() {
  auto engine =
      std::make_unique<storage::MemoryEngine>(std::make_shared<storage::MemoryStateDisk>());
  kv::EngineBatch batch;
  for (int i = 0; i < kKeys; ++i) {
    kv::KeyValue item;
    item.key = "k" + std::to_string(i);
    item.value = std::string(100, 'v');
    batch.put(kv::Space::kLatest, item.key, kv::encode_latest(item));
  }
  CHECK(engine->commit(batch).is_ok());
  return kv::StateMachine::open(std::move(engine)).value();
}

raft::EntryPtr entry(std::uint64_t index, const kv::Command& command) {
  auto made = std::make_shared<raft::Entry>();
  made->term = base::Term(1);
  made->index = base::Index(index);
  made->kind = raft::EntryKind::kCommand;
  made->payload = storage::encode(command);
  return made;
}

kv::Transaction count_all() {
  kv::Transaction transaction;
  transaction.then.push_back(
      kv::RangeOperation{.range = {"k", std::string(kv::kToTheEnd)}, .count_only = true});
  return transaction;
}

struct Fixture {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<server::LoopEvent> events;
  server::Stamp stamp;
  server::ProcessFaults faults;
  ApplyThread apply{machine_with_many_keys(),
                    [this](std::vector<server::LoopEvent> posted) {
                      std::lock_guard lock(mutex);
                      for (auto& each : posted) events.push_back(std::move(each));
                      changed.notify_all();
                    },
                    [](const base::Status& status) { ADD_FAILURE() << status.to_string(); }, stamp,
                    faults};

  void run_until(std::size_t count) {
    std::thread thread([this] { apply.run(); });
    {
      std::unique_lock lock(mutex);
      EXPECT_TRUE(changed.wait_for(lock, 20s, [&] { return events.size() >= count; }));
    }
    apply.stop();
    thread.join();
  }
};

std::vector<raft::EntryPtr> one_put() {
  kv::Write write{.session = base::SessionId(1), .sequence = 1};
  write.transaction.then.push_back(kv::PutOperation{.key = "later", .value = "x"});
  return {entry(1, kv::OpenSession{}), entry(2, write)};
}

TEST(LongRead, EntriesPassIt) {
  Fixture fixture;
  fixture.apply.read(7, count_all());
  fixture.apply.apply(one_put(), {1, 1});
  fixture.run_until(2);
  ASSERT_EQ(fixture.events.size(), 2u);
  ASSERT_TRUE(std::holds_alternative<server::AppliedEvent>(fixture.events[0]))
      << "the entry waited for the whole read";
  const auto& read = std::get<server::ReadDoneEvent>(fixture.events[1]);
  EXPECT_EQ(read.request, 7u);
  ASSERT_TRUE(read.result.is_ok()) << read.result.status().to_string();
  const auto& counted = std::get<kv::RangeResult>(read.result.value().results.at(0));
  EXPECT_EQ(counted.count, std::uint64_t{kKeys}) << "of the moment when it began";
  EXPECT_EQ(read.position.applied, base::Index(0));
}

TEST(LongRead, SoManyAtOnceAndNoMore) {
  Fixture fixture;
  for (std::uint64_t i = 0; i <= ApplyThread::kLongReads; ++i) fixture.apply.read(i, count_all());
  fixture.run_until(ApplyThread::kLongReads + 1);
  std::size_t counted = 0;
  for (const auto& each : fixture.events) {
    const auto& read = std::get<server::ReadDoneEvent>(each);
    if (read.result.is_ok())
      ++counted;
    else
      EXPECT_EQ(read.result.status().code(), base::Code::kOverloaded);
  }
  EXPECT_EQ(counted, ApplyThread::kLongReads);
}

}  // namespace
}  // namespace regression
