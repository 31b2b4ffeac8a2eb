// What an application gets that has seen more than the cluster has now: every disk was put back to
// an older copy, so that no member can remember, and only the client knows.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/cluster/caller.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

class Lineage : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    caller_ = std::make_unique<Caller>(nodes_);
  }
  client::Outcome put(const std::string& value) {
    return caller_->wait(caller_->client().put("k", value));
  }
  base::Code read(client::Consistency consistency) {
    kv::Transaction transaction;
    transaction.then.push_back(kv::RangeOperation{.range = {"k", ""}});
    return caller_->wait(caller_->client().read(transaction, consistency)).status.code();
  }
  static std::string old(const Nodes& nodes, std::size_t i) { return nodes.data_dir(i) + ".old"; }

  Nodes nodes_{3};
  std::unique_ptr<Caller> caller_;
};

TEST_F(Lineage, DisksThatWereAllPutBackAreFoundOutByWhoSawMore) {
  ASSERT_TRUE(put("one").status.is_ok());
  for (std::size_t i = 0; i < 3; ++i) nodes_.kill(i);
  for (std::size_t i = 0; i < 3; ++i) {
    fs::copy(nodes_.data_dir(i), old(nodes_, i), fs::copy_options::recursive);
    nodes_.start(i);
  }
  // A restart alone is no other history.
  for (int i = 0; i < 50; ++i) {
    const client::Outcome outcome = put("two");
    ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
  }
  EXPECT_EQ(read(client::Consistency::kLinearizable), base::Code::kOk);
  for (std::size_t i = 0; i < 3; ++i) nodes_.kill(i);
  for (std::size_t i = 0; i < 3; ++i) {
    fs::remove_all(nodes_.data_dir(i));
    fs::rename(old(nodes_, i), nodes_.data_dir(i));
    nodes_.start(i);
  }
  // (A write's first attempt may still meet the connection of before, and then nobody knows.)
  EXPECT_EQ(read(client::Consistency::kLinearizable), base::Code::kOtherHistory);
  const client::Outcome refused = put("three");
  EXPECT_EQ(refused.status.code(), base::Code::kOtherHistory) << refused.status.to_string();
  EXPECT_NE(refused.status.detail().find("this client has seen entry"), std::string::npos)
      << refused.status.detail();
  // Whoever has seen nothing is served, and goes on to where the client had been: to another entry.
  const Ended ended = nodes_.holdfast({"bench", "put", "--clients", "16", "--duration", "2s"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(nodes_.holdfast({"get", "k"}).out, "one\n");
  EXPECT_EQ(put("three").status.code(), base::Code::kOtherHistory);
  EXPECT_EQ(read(client::Consistency::kSerializable), base::Code::kOtherHistory);
  caller_->client().accept_history();
  EXPECT_TRUE(put("three").status.is_ok());
}

}  // namespace
}  // namespace cluster
