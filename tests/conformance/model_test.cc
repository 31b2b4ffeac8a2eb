// The state machine on both engines against the model of tests/kv: random commands and reads,
// through restarts of the engine, snapshots that another engine installs, and sweeps.
#include <gtest/gtest.h>

#include <memory>

#include "base/random.h"
#include "kv/state_machine.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "tests/conformance/scratch.h"
#include "tests/kv/generator.h"
#include "tests/kv/model.h"

namespace conformance {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kEntries = 10'000;
#else
constexpr std::size_t kEntries = 100'000;
#endif

/// Two places for a state: snapshots go from the one to the other.
template <class Open>
class Trial {
 public:
  explicit Trial(Open open) : open_(std::move(open)) {
    generator_.known_leases = &model_.leases;
    generator_.known_items = &model_.items;
    reopen();
  }

  void run() {
    for (index_ = 1; index_ <= kEntries && !testing::Test::HasFailure(); ++index_) {
      const kv::AppliedEntry entry = generator_.entry(base::Index(index_));
      const kv::Reply expected = model_.apply(entry);
      generator_.newest = model_.revision.value;
      auto replies = machine_->apply({&entry, 1}, {1, index_});
      ASSERT_TRUE(replies.is_ok()) << replies.status().to_string();
      kv::Reply reply = std::move(replies).value().at(0);
      reply.detail.clear();
      ASSERT_EQ(reply, expected) << "entry " << index_;
      ++codes_[reply.code];
      if (random_.chance(4)) read();
      if (random_.chance(20)) {
        ASSERT_TRUE(machine_->sweep(random_.between(1, 5000)).is_ok());
      }
      if (random_.chance(500)) reopen();
      if (random_.chance(1000)) move();
    }
    EXPECT_GT(codes_[base::Code::kOk], kEntries / 4);
    EXPECT_GT(reads_, kEntries / 8);
    EXPECT_GT(moves_, 3);
  }

 private:
  void read() {
    const kv::Transaction transaction = generator_.transaction(false);
    if (!kv::validate(transaction, limits_).is_ok()) return;
    const auto result = machine_->read(transaction);
    const kv::Reply expected = model_.read(transaction);
    ASSERT_EQ(result.status().code(), expected.code) << result.status().to_string();
    if (result.is_ok()) {
      ASSERT_EQ(result.value(), expected.result) << "after entry " << index_;
    }
    ++reads_;
  }
  void reopen() {
    if (machine_ != nullptr) {
      ASSERT_TRUE(machine_->flush().is_ok());
    }
    machine_.reset();
    auto opened = kv::StateMachine::open(open_(place_), limits_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().to_string();
    machine_ = std::move(opened).value();
    ASSERT_EQ(machine_->position().applied.value, index_);
  }
  /// The other place, which stands where it was left, gets all rows.
  void move() {
    auto to = kv::StateMachine::open(open_(1 - place_), limits_);
    ASSERT_TRUE(to.is_ok()) << to.status().to_string();
    auto frozen = machine_->snapshot();
    auto incoming = to.value()->begin_install();
    ASSERT_TRUE(frozen.is_ok() && incoming.is_ok());
    for (std::optional<kv::EngineCursor> next = kv::EngineCursor(); next;) {
      auto page = frozen->rows->read(*next, 10'000);
      ASSERT_TRUE(page.is_ok());
      ASSERT_TRUE(incoming.value()->add(page->rows).is_ok());
      next = page->next;
    }
    ASSERT_TRUE(kv::adopt_rows(*incoming.value()).is_ok());
    ASSERT_TRUE(incoming.value()->finish().is_ok());
    ASSERT_TRUE(to.value()->install(std::move(incoming).value()).is_ok());
    frozen->rows.reset();
    machine_ = std::move(to).value();
    place_ = 1 - place_;
    ++moves_;
  }

  const Open open_;
  const kv::Limits limits_ = kv::small_limits();
  base::Random random_{9};
  kv::Generator generator_{4711};
  kv::Model model_{limits_};
  int place_ = 0;
  std::unique_ptr<kv::StateMachine> machine_;
  std::uint64_t index_ = 0;
  std::map<base::Code, std::uint64_t> codes_;
  std::uint64_t reads_ = 0;
  int moves_ = 0;
};

TEST(Model, TheStateMachineDoesAsItOnRocksDb) {
  ScratchDirectory scratch;
  Trial trial([&](int place) {
    return storage::RocksEngine::open(scratch.path() + "/" + std::to_string(place)).value();
  });
  trial.run();
}

TEST(Model, TheStateMachineDoesAsItOnTheMemoryEngine) {
  std::shared_ptr<storage::MemoryStateDisk> disks[] = {
      std::make_shared<storage::MemoryStateDisk>(), std::make_shared<storage::MemoryStateDisk>()};
  Trial trial([&](int place) -> std::unique_ptr<kv::Engine> {
    return std::make_unique<storage::MemoryEngine>(disks[place]);
  });
  trial.run();
}

}  // namespace
}  // namespace conformance
