// Two of three nodes down: what the third and the client say.
#include <gtest/gtest.h>

#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

/// A cluster in which key "k" is "old", and of which then only one node runs.
class Minority : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    ASSERT_EQ(nodes_.holdfast({"put", "k", "old"}).exit_code, 0);
    const auto leader = nodes_.leader();
    ASSERT_TRUE(leader.has_value());
    leader_ = *leader;
  }
  void leave_only(std::size_t alone) {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (i != alone) nodes_.kill(i);
  }
  Nodes nodes_{3};
  std::size_t leader_ = 0;
};

/// Well under the deadline of the call.
void expect_early(const Ended& ended) {
  EXPECT_LT(ended.took_ms, 3500u * time_scale()) << "it should not wait for its deadline";
}

TEST_F(Minority, WithoutALeaderReadsAndWritesAreRefusedEarly) {
  const std::size_t alone = (leader_ + 1) % nodes_.size();
  leave_only(alone);
  for (int i = 0; i < 2; ++i) {
    const Ended got = nodes_.holdfast({"get", "k"});
    EXPECT_EQ(got.exit_code, 4) << got.err;
    EXPECT_EQ(got.out, "") << "never a stale answer";
    expect_early(got);
    const Ended put = nodes_.holdfast({"put", "k", "new"});
    EXPECT_EQ(put.exit_code, 4) << put.err;
    expect_early(put);
  }
  EXPECT_EQ(nodes_.holdfast({"status"}).exit_code, 4);
  // Only who asks for what that member has, by name, is answered.
  const Ended stale = nodes_.holdfast({"get", "k", "--consistency", "s"});
  EXPECT_TRUE(stale.exit_code == 4 || stale.out == "old\n") << stale.err;
  const auto bounded = [&](const char* bound) {
    return nodes_.holdfast({"get", "k", "--consistency", "s", "--max-staleness", bound});
  };
  const Ended young = bounded("1h");
  EXPECT_TRUE(young.exit_code == 4 || young.out == "old\n") << young.err;
  EXPECT_EQ(young.exit_code, stale.exit_code) << "it was written within the hour";
  const Ended old = bounded("100ms");
  EXPECT_EQ(old.exit_code, 4) << "what was written long ago may be old, and nobody can tell";
  EXPECT_EQ(old.out, "");
}

TEST_F(Minority, ALeaderAloneLeavesAWriteThatWasSentOpen) {
  leave_only(leader_);
  // It still believes to lead, takes the write, and loses its place before it can know.
  const Ended put = nodes_.holdfast({"put", "k", "new"});
  EXPECT_TRUE(put.exit_code == 5 || put.exit_code == 4) << put.exit_code << " " << put.err;
  expect_early(put);
  // Once it has given up nothing is sent any more.
  const auto gave_up = [&] {
    const auto status = nodes_.status(leader_);
    return status.has_value() && !status->leads();
  };
  ASSERT_TRUE(wait_until(5000 * time_scale(), gave_up));
  EXPECT_EQ(nodes_.holdfast({"put", "k", "newer"}).exit_code, 4);
  const Ended got = nodes_.holdfast({"get", "k"});
  EXPECT_EQ(got.exit_code, 4);
  EXPECT_EQ(got.out, "");
}

TEST_F(Minority, TheThirdLivesAndSaysWhyItIsNotReady) {
  const std::size_t alone = (leader_ + 1) % nodes_.size();
  const std::uint16_t http = nodes_.http_port(alone);
  EXPECT_EQ(http_get(http, "/readyz").code, 200);
  leave_only(alone);
  // Either may be noticed first.
  const auto misses_both = [&] {
    const std::string body = http_get(http, "/readyz").body;
    return body.find("[-]quorum failed") != std::string::npos &&
           body.find("[-]leader failed") != std::string::npos;
  };
  EXPECT_TRUE(wait_until(10000 * time_scale(), misses_both));
  const Page ready = http_get(http, "/readyz");
  EXPECT_EQ(ready.code, 503);
  EXPECT_NE(ready.body.find("1 of 3"), std::string::npos) << ready.body;
  EXPECT_NE(ready.body.find("[-]leader failed"), std::string::npos) << ready.body;
  const Page live = http_get(http, "/livez");
  EXPECT_EQ(live.code, 200) << live.body;
  EXPECT_EQ(http_get(http, "/metrics").code, 200);
  EXPECT_EQ(http_get(http, "/version").code, 200);
  EXPECT_EQ(http_get(http, "/nothing").code, 404);
}

TEST_F(Minority, AMajorityThatComesBackGoesOn) {
  leave_only(leader_);
  EXPECT_NE(nodes_.holdfast({"put", "k", "new"}).exit_code, 0);
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (!nodes_.runs(i)) nodes_.start(i);
  ASSERT_TRUE(nodes_.wait_ready());
  const Ended got = nodes_.holdfast({"get", "k"});
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_TRUE(got.out == "old\n" || got.out == "new\n") << "the open write happened or did not";
  EXPECT_EQ(nodes_.holdfast({"put", "k", "newest"}).exit_code, 0);
  EXPECT_EQ(nodes_.holdfast({"get", "k"}).out, "newest\n");
}

}  // namespace
}  // namespace cluster
