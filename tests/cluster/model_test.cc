// The model of the whole data model (tests/kv/model.h) against real processes: random transactions,
// one after the other, while members are killed, and logs are so short that who comes back gets a
// snapshot. Each reply and each read is the model's, revisions and all.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "tests/cluster/caller.h"
#include "tests/kv/generator.h"
#include "tests/kv/model.h"

namespace cluster {
namespace {

/// HOLDFAST_MODEL_OPERATIONS: more of them, by hand. About three to a transaction.
std::uint64_t operations() {
  const char* text = std::getenv("HOLDFAST_MODEL_OPERATIONS");
  return text == nullptr ? 12'000 : std::strtoull(text, nullptr, 10);
}

/// What depends on the moment: stamps, ids of entries, and leases that end.
struct Timeless {
  base::Random& random;

  void operator()(kv::RangeOperation& range) const { range.time = {}; }
  void operator()(kv::RetainOperation& retain) const { retain.retention.age_ms = 0; }
  void operator()(kv::GrantOperation& grant) const {
    if (!grant.lease) grant.lease = kv::LeaseId(random.below(4) + 1);
    grant.ttl_ms = 3'600'000;
    grant.of_session = false;
  }
  void operator()(auto&) const {}
};

struct WithoutStamps {
  void operator()(kv::RangeResult& range) const {
    for (kv::KeyValue& item : range.items) item.time = {};
  }
  void operator()(kv::PutResult& put) const {
    if (put.previous) put.previous->time = {};
  }
  void operator()(kv::DeleteResult& deleted) const {
    for (kv::KeyValue& item : deleted.previous) item.time = {};
  }
  void operator()(kv::HistoryResult& history) const {
    for (kv::Event& event : history.events) event.item.time = {};
  }
  void operator()(auto&) const {}
};

kv::TransactionResult without_stamps(kv::TransactionResult result) {
  for (auto& each : result.results) std::visit(WithoutStamps(), each);
  return result;
}

class ModelOnProcesses : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    generator_.known_leases = &model_.leases;
    generator_.known_items = &model_.items;
    (void)model_.apply(entry(kv::OpenSession{}));
    caller_ = std::make_unique<Caller>(nodes_);
  }
  kv::AppliedEntry entry(kv::Command command) {
    kv::AppliedEntry made;
    made.index = base::Index(++index_);
    made.command = std::move(command);
    return made;
  }
  kv::Transaction transaction() {
    for (;;) {
      kv::Transaction made = generator_.transaction(random_.below(4) != 0);
      for (auto* branch : {&made.then, &made.otherwise}) {
        for (kv::Operation& each : *branch) std::visit(Timeless{random_}, each);
      }
      if (kv::validate(made, kv::Limits()).is_ok()) return made;
    }
  }
  kv::Reply expected(const kv::Transaction& transaction, bool writes) {
    if (!writes) return model_.read(transaction);
    ++sequence_;
    const std::uint64_t session = model_.sessions.begin()->first;
    return model_.apply(
        entry(kv::Write{kv::SessionId(session), sequence_, sequence_, transaction, false}));
  }
  void step() {
    const kv::Transaction made = transaction();
    done_ += made.then.size() + made.otherwise.size() + made.compares.size();
    const bool writes = kv::writes(made);
    const kv::Reply reply = expected(made, writes);
    client::Client& client = caller_->client();
    const client::Outcome outcome = caller_->wait(writes ? client.write(made) : client.read(made));
    // A refusal that a member may give unasked proves nothing of an attempt before it.
    if (reply.code != base::Code::kOk && outcome.status.applied() == base::Applied::kUnknown) {
      ++unknown_;
      return;
    }
    ASSERT_EQ(outcome.status.code(), reply.code) << outcome.status.to_string();
    if (reply.code == base::Code::kOk) {
      ASSERT_EQ(without_stamps(outcome.result), without_stamps(reply.result));
    }
    ++codes_[reply.code];
    generator_.newest = model_.revision.value;
  }
  /// One member at a time is away.
  void disturb() {
    if (down_) {
      nodes_.start(*std::exchange(down_, std::nullopt));
    } else {
      down_ = random_.below(nodes_.size());
      nodes_.kill(*down_);
      ++kills_;
    }
  }

  Nodes nodes_{3, {"--log-bytes-max", "65536"}};
  base::Random random_{7};
  kv::Generator generator_{23};
  kv::Model model_{kv::Limits()};
  std::unique_ptr<Caller> caller_;
  std::optional<std::size_t> down_;
  std::map<base::Code, std::uint64_t> codes_;
  std::uint64_t index_ = 0, sequence_ = 0, done_ = 0, kills_ = 0, unknown_ = 0;
};

TEST_F(ModelOnProcesses, EveryReplyIsTheModels) {
  for (std::uint64_t i = 1; done_ < operations() && !HasFailure(); ++i) {
    step();
    if (i % 400 == 0) disturb();
  }
  EXPECT_GE(kills_, 3u);
  EXPECT_LE(unknown_, kills_);
  EXPECT_GT(codes_[base::Code::kOk], 100u);
  EXPECT_GE(codes_.size(), 4u) << "refusals are compared, too";
  std::fprintf(stderr, "%llu operations, %llu kills, revision %llu\n",
               static_cast<unsigned long long>(done_), static_cast<unsigned long long>(kills_),
               static_cast<unsigned long long>(model_.revision.value));
}

}  // namespace
}  // namespace cluster
