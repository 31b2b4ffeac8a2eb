// Locks on real processes: a holder that was paused is refused in the store and outside of it; many
// who want one lock get it one after the other, though the leader dies.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "client/ctl/child.h"
#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

using client::ctl::Child;

class LockTest : public testing::Test {
 protected:
  LockTest() : nodes_(3) {}

  std::string file(const std::string& name) const { return scratch_.path() + "/" + name; }
  std::string text(const std::string& name) const {
    std::ifstream in(file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<std::string> lock(const std::string& script) const {
    return {holdfast_path(),
            "lock",
            "backup",
            "--ttl",
            "1s",
            "--time-scale",
            std::to_string(time_scale()),
            "--",
            "/bin/sh",
            "-c",
            script};
  }
  void start(Child& child, const std::string& script) const {
    const base::Status started =
        child.start(lock(script), {{"HOLDFAST_ENDPOINTS", nodes_.environment().substr(19)},
                                   {"HOLDFAST", holdfast_path()},
                                   {"DIR", scratch_.path()}});
    ASSERT_TRUE(started.is_ok()) << started.to_string();
  }

  Nodes nodes_;
  Scratch scratch_;
};

TEST_F(LockTest, WhoWasPausedIsRefusedInTheStoreAndOutside) {
  ASSERT_TRUE(nodes_.wait_ready());
  Child first;
  start(first,
        "echo first | $HOLDFAST guard write --mark $DIR/mark $DIR/file && "
        "$HOLDFAST put owner first --fence backup:$HOLDFAST_LOCK_TOKEN && "
        "echo $HOLDFAST_LOCK_TOKEN > $DIR/first; exec sleep 60");
  ASSERT_TRUE(wait_until(10'000, [&] { return text("first").ends_with("\n"); }));
  const std::string token = text("first").substr(0, text("first").size() - 1);
  first.signal(SIGSTOP);
  Child second;
  start(second,
        "echo second | $HOLDFAST guard write --mark $DIR/mark $DIR/file && "
        "$HOLDFAST put owner second --fence backup:$HOLDFAST_LOCK_TOKEN && "
        "echo $HOLDFAST_LOCK_TOKEN > $DIR/second; exec sleep 5");
  ASSERT_TRUE(wait_until(20'000, [&] { return text("second").ends_with("\n"); }));
  EXPECT_GT(std::stoull(text("second")), std::stoull(token)) << "tokens grow";
  first.signal(SIGCONT);
  // What the first would go on to do, if it had not noticed yet.
  const Ended put = nodes_.holdfast({"put", "owner", "first", "--fence", "backup:" + token});
  EXPECT_EQ(put.exit_code, 3) << put.err;
  EXPECT_NE(put.err.find("it is held with"), std::string::npos) << put.err;
  const Ended written = run(
      {holdfast_path(), "guard", "write", "--mark", file("mark"), "--token", token, file("file")},
      {}, 10'000, "first\n");
  EXPECT_EQ(written.exit_code, 3) << written.err;
  EXPECT_EQ(text("file"), "second\n");
  EXPECT_EQ(nodes_.holdfast({"get", "owner"}).out, "second\n");
  EXPECT_EQ(first.wait(), 1) << "it lost the lock, and says so";
  EXPECT_EQ(second.wait(), 0);
}

TEST_F(LockTest, ManyTakeItInTurnThoughTheLeaderDies) {
  ASSERT_TRUE(nodes_.wait_ready());
  constexpr int kMany = 8;
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < kMany; ++i) {
    children.push_back(std::make_unique<Child>());
    start(*children.back(),
          "echo begin $HOLDFAST_LOCK_TOKEN >> $DIR/log; sleep 0.4; "
          "echo end $HOLDFAST_LOCK_TOKEN >> $DIR/log");
  }
  ASSERT_TRUE(wait_until(10'000, [&] { return text("log").find("end") != std::string::npos; }));
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  nodes_.kill(*leader);
  int done = 0;
  for (auto& child : children) done += child->wait() == 0 ? 1 : 0;
  std::istringstream log(text("log"));
  std::string word;
  std::uint64_t token = 0, last = 0;
  int begun = 0;
  for (bool begins = true; log >> word >> token; begins = !begins) {
    // Who lost it, since nobody answered for too long, is ended between the two.
    if (word == "begin") {
      ++begun;
      EXPECT_GT(token, last) << "tokens grow";
      last = token;
    } else {
      EXPECT_EQ(token, last) << "two held it at once";
    }
  }
  EXPECT_EQ(begun, kMany);
  EXPECT_GE(done, kMany - 1);
  EXPECT_EQ(nodes_.holdfast({"lease", "list"}).out, "found 0 leases\n") << "all were given back";
}

}  // namespace
}  // namespace cluster
