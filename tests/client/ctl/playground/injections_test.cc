// Verbs of the playground to faults at its nodes.
#include "client/ctl/playground/injections.h"

#include <gtest/gtest.h>

namespace client::ctl::playground {
namespace {

using Action = PlaygroundArguments::Action;

class InjectionsTest : public testing::Test {
 protected:
  /// "n1 cut-link peer=n2 direction=both", a line each.
  std::string made(const PlaygroundArguments& how) {
    const auto all = injections(how, {"n1", "n2", "n3"}, [](const std::string& name) {
      if (name == "leader") return base::Result<std::string>(std::string("n2"));
      if (name == "n1" || name == "n2" || name == "n3") return base::Result<std::string>(name);
      return base::Result<std::string>(base::Status(base::Code::kInvalidArgument, "no " + name));
    });
    if (!all.is_ok()) return all.status().detail();
    std::string text;
    for (const Injection& each : all.value()) {
      text += (text.empty() ? "" : "\n") + each.node + " " + each.change.name;
      for (const auto& [key, value] : each.change.parameters) text += " " + key + "=" + value;
    }
    return text;
  }
  static PlaygroundArguments how(Action action, const std::string& node,
                                 const std::string& other = "") {
    PlaygroundArguments how;
    how.action = action;
    how.node = node;
    how.other = other;
    return how;
  }
};

TEST_F(InjectionsTest, Disks) {
  EXPECT_EQ(made(how(Action::kHangDisk, "leader")), "n2 hang-log-sync");
  PlaygroundArguments slow = how(Action::kSlowDisk, "n1");
  EXPECT_EQ(made(slow), "n1 slow-log-sync");
  slow.delay = "200ms";
  EXPECT_EQ(made(slow), "n1 slow-log-sync delay=200ms");
  EXPECT_EQ(made(how(Action::kFailDisk, "n3")), "n3 fail-log-sync");
  EXPECT_EQ(made(how(Action::kFailDisk, "n9")), "no n9");
}

TEST_F(InjectionsTest, AnyFaultByItsName) {
  PlaygroundArguments fault = how(Action::kFault, "leader");
  fault.fault = "narrow-link";
  fault.parameters = {"peer=all", "rate=10kB/s"};
  EXPECT_EQ(made(fault), "n2 narrow-link peer=all rate=10kB/s");
  fault.parameters = {"peer"};
  EXPECT_EQ(made(fault), "\"peer\" is not NAME=VALUE");
}

TEST_F(InjectionsTest, AllNodesAtOnce) {
  EXPECT_EQ(made(how(Action::kHangDisk, "all")),
            "n1 hang-log-sync\nn2 hang-log-sync\nn3 hang-log-sync");
  EXPECT_EQ(made(how(Action::kCut, "all", "n2")), "a link needs two nodes");
}

TEST_F(InjectionsTest, WhatIsOfTheProcess) {
  EXPECT_EQ(made(how(Action::kFillDisk, "n1")), "n1 fill-disk");
  EXPECT_EQ(made(how(Action::kBlockLogs, "n1")), "n1 block-log-lines");
  PlaygroundArguments stall = how(Action::kStall, "leader");
  EXPECT_EQ(made(stall), "n2 stall-loop");
  stall.thread = "apply";
  EXPECT_EQ(made(stall), "n2 stall-apply");
  PlaygroundArguments skew = how(Action::kSkewClock, "n3");
  EXPECT_EQ(made(skew), "n3 clock-ahead by=5s");
  skew.by = "-1h";
  EXPECT_EQ(made(skew), "n3 clock-behind by=1h");
}

TEST_F(InjectionsTest, Links) {
  PlaygroundArguments cut = how(Action::kCut, "n1", "leader");
  EXPECT_EQ(made(cut), "n1 cut-link peer=n2 direction=both");
  cut.one_way = true;
  EXPECT_EQ(made(cut), "n1 cut-link peer=n2 direction=out");
  EXPECT_EQ(made(how(Action::kCut, "n2", "leader")), "a link needs two nodes");
  EXPECT_EQ(made(how(Action::kIsolate, "leader")), "n2 cut-link peer=all direction=both");
  PlaygroundArguments slow = how(Action::kSlowLink, "n1", "n3");
  slow.delay = "1s";
  EXPECT_EQ(made(slow), "n1 slow-link peer=n3 direction=both delay=1s");
  PlaygroundArguments lossy = how(Action::kLossy, "n1");
  lossy.loss = "5%";
  EXPECT_EQ(made(lossy), "n1 lossy-link peer=all loss=5%");
}

TEST_F(InjectionsTest, Partitions) {
  PlaygroundArguments parts;
  parts.action = Action::kPartition;
  parts.groups = "n1,n2/n3";
  EXPECT_EQ(made(parts), "n1 cut-link peer=n3\nn2 cut-link peer=n3");
  parts.groups = "leader";
  EXPECT_EQ(made(parts), "n2 cut-link peer=n1\nn2 cut-link peer=n3\nn1 cut-link peer=n3")
      << "whoever is not named is alone";
  parts.groups = "n1,n2,n3";
  EXPECT_NE(made(parts).find("parts nobody"), std::string::npos);
  parts.groups = "n1,n2/leader";
  EXPECT_EQ(made(parts), "n2 is named twice");
  parts.groups = "n1/n7";
  EXPECT_EQ(made(parts), "no n7");
}

}  // namespace
}  // namespace client::ctl::playground
