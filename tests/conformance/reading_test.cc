// kv::Reading on both engines: its slices together give what one pass gave when it began, whatever
// is written meanwhile.
#include "kv/reading.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.h"
#include "kv/state_machine.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "tests/conformance/scratch.h"

namespace conformance {
namespace {

class Machine {
 public:
  explicit Machine(std::unique_ptr<kv::Engine> engine)
      : machine_(kv::StateMachine::open(std::move(engine), limits()).value()) {
    apply(kv::OpenSession{});
  }
  static kv::Limits limits() {
    kv::Limits limits;
    limits.range_bytes = 2000;
    return limits;
  }
  kv::StateMachine* operator->() { return machine_.get(); }
  kv::Reply write(kv::Transaction transaction) {
    return apply(kv::Write{base::SessionId(1), ++sequence_, sequence_, std::move(transaction)});
  }

 private:
  kv::Reply apply(kv::Command command) {
    kv::AppliedEntry entry;
    entry.index = base::Index(++index_);
    entry.term = base::Term(1);
    entry.command = std::move(command);
    return machine_->apply({&entry, 1}, {1, index_}).value().at(0);
  }

  std::unique_ptr<kv::StateMachine> machine_;
  std::uint64_t index_ = 0;
  std::uint64_t sequence_ = 0;
};

std::string key(base::Random& random) {
  return "k" + std::to_string(random.below(60));
}

kv::Transaction some_reads(base::Random& random) {
  kv::Transaction transaction;
  if (random.below(2) == 0) transaction.compares.push_back({.key = key(random)});
  for (std::uint64_t i = 0; i <= random.below(4); ++i) {
    kv::RangeOperation range{.range = {key(random), key(random)}};
    if (random.below(3) == 0) range.range.end = "";
    if (random.below(3) == 0) range.range.end = std::string(kv::kToTheEnd);
    range.limit = random.below(3) * 7;
    range.keys_only = random.below(3) == 0;
    range.count_only = random.below(4) == 0;
    transaction.then.push_back(range);
    if (random.below(3) == 0) transaction.otherwise.push_back(range);
  }
  return transaction;
}

void write_something(Machine& machine, base::Random& random) {
  kv::Transaction transaction;
  if (random.below(3) == 0) {
    transaction.then.push_back(kv::DeleteOperation{{key(random), ""}});
  } else {
    transaction.then.push_back(kv::PutOperation{key(random), std::string(random.below(200), 'x')});
  }
  ASSERT_EQ(machine.write(transaction).code, base::Code::kOk);
}

void check(Machine machine) {
  base::Random random(7);
  int in_slices = 0;
  for (int i = 0; i < 1500; ++i) {
    write_something(machine, random);
    const kv::Transaction transaction = some_reads(random);
    const auto expected = machine->read(transaction);
    ASSERT_TRUE(expected.is_ok()) << expected.status().to_string();
    const std::size_t slice_bytes = random.between(1, 3000);
    auto reading = machine->begin_read(transaction, slice_bytes);
    ASSERT_TRUE(reading.is_ok());
    in_slices += reading.value()->done() ? 0 : 1;
    while (!reading.value()->done()) {
      write_something(machine, random);
      ASSERT_TRUE(reading.value()->advance(slice_bytes).is_ok());
    }
    ASSERT_EQ(reading.value()->take(), expected.value()) << "round " << i;
  }
  EXPECT_GT(in_slices, 300) << "the check is about those";
}

TEST(Reading, SlicesGiveWhatOnePassGaveOnTheMemoryEngine) {
  check(Machine(
      std::make_unique<storage::MemoryEngine>(std::make_shared<storage::MemoryStateDisk>())));
}

TEST(Reading, SlicesGiveWhatOnePassGaveOnRocksDb) {
  ScratchDirectory scratch;
  auto engine = storage::RocksEngine::open(scratch.path() + "/state");
  ASSERT_TRUE(engine.is_ok());
  check(Machine(std::move(engine).value()));
}

TEST(Reading, OneThatAnotherStateOvertookSaysSo) {
  ScratchDirectory scratch;
  auto opened = storage::RocksEngine::open(scratch.path() + "/state");
  ASSERT_TRUE(opened.is_ok());
  kv::Engine& engine = *opened.value();
  Machine machine(std::move(opened).value());
  base::Random random(1);
  for (int i = 0; i < 20; ++i) write_something(machine, random);
  kv::Transaction all;
  all.then.push_back(kv::RangeOperation{.range = {"k", std::string(kv::kToTheEnd)}});
  auto reading = machine->begin_read(all, 1);
  ASSERT_TRUE(reading.is_ok() && !reading.value()->done());
  auto incoming = engine.begin_install();
  ASSERT_TRUE(incoming.is_ok() && incoming.value()->finish().is_ok());
  ASSERT_TRUE(engine.install(std::move(incoming).value()).is_ok());
  EXPECT_EQ(reading.value()->advance(1).code(), base::Code::kUnavailable);
}

TEST(Reading, OnlyWhatWritesIsBoundInItsKeys) {
  kv::Limits limits;
  limits.visited_keys = 10;
  auto machine = kv::StateMachine::open(
      std::make_unique<storage::MemoryEngine>(std::make_shared<storage::MemoryStateDisk>()),
      limits);
  ASSERT_TRUE(machine.is_ok());
  const kv::RangeOperation all{.range = {"k", std::string(kv::kToTheEnd)}, .count_only = true};
  std::uint64_t index = 0;
  const auto apply = [&](kv::Command command) {
    kv::AppliedEntry entry;
    entry.index = base::Index(++index);
    entry.term = base::Term(1);
    entry.command = std::move(command);
    return machine.value()->apply({&entry, 1}, {1, index}).value().at(0);
  };
  apply(kv::OpenSession{});
  const auto write = [&](kv::Operation first, kv::Operation second) {
    kv::Transaction transaction;
    transaction.then = {std::move(first), std::move(second)};
    return apply(kv::Write{base::SessionId(1), index, index, transaction});
  };
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(write(all, kv::PutOperation{"k" + std::to_string(i), "v"}).code, base::Code::kOk);
  }
  EXPECT_EQ(write(kv::PutOperation{"kk", "v"}, all).code, base::Code::kTooLarge)
      << "ten and the one that it wrote";
  kv::Transaction reads;
  reads.then = {all, all};
  auto counted = machine.value()->read(reads);
  ASSERT_TRUE(counted.is_ok());
  EXPECT_EQ(std::get<kv::RangeResult>(counted.value().results.at(1)).count, 10u);
}

}  // namespace
}  // namespace conformance
