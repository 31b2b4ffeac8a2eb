// Links that fall silent between real members: the leader leaves office where it must, stays where
// it may, and nothing that was acknowledged is lost.
#include <gtest/gtest.h>

#include "tests/cluster/under_load.h"

namespace cluster {
namespace {

class LinkFaults : public UnderLoad {
 protected:
  bool leads(std::size_t i) {
    const auto status = nodes_.status(i);
    return status && status->leads();
  }
  bool another_leads() {
    return wait_until(10000 * time_scale(), [&] {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (i != leader_ && leads(i)) return true;
      }
      return false;
    });
  }
};

TEST_F(LinkFaults, ALeaderThatIsCutOffLeavesOffice) {
  ASSERT_EQ(fault(leader_, {"cut-link", "peer=all"}).exit_code, 0);
  EXPECT_TRUE(another_leads()) << nodes_.last_words();
  EXPECT_TRUE(wait_until(10000 * time_scale(), [&] { return !leads(leader_); }));
  EXPECT_NE(nodes_.status(leader_)->step_down_reason.find("quorum"), std::string::npos);
  EXPECT_TRUE(writing_goes_on());
  heal_and_check();
}

TEST_F(LinkFaults, ALeaderThatIsNotHeardLeavesOffice) {
  ASSERT_EQ(fault(leader_, {"cut-link", "peer=all", "direction=out"}).exit_code, 0);
  EXPECT_TRUE(another_leads()) << nodes_.last_words();
  EXPECT_TRUE(wait_until(10000 * time_scale(), [&] { return !leads(leader_); }));
  EXPECT_TRUE(writing_goes_on());
  heal_and_check();
}

TEST_F(LinkFaults, ALeaderThatHearsNobodyLeavesOffice) {
  ASSERT_EQ(fault(leader_, {"cut-link", "peer=all", "direction=in"}).exit_code, 0);
  EXPECT_TRUE(wait_until(10000 * time_scale(), [&] { return !leads(leader_); }));
  EXPECT_TRUE(another_leads()) << nodes_.last_words();
  EXPECT_TRUE(writing_goes_on());
  heal_and_check();
}

/// It has its majority; the one that does not hear it must not depose it.
TEST_F(LinkFaults, OneFollowerThatDoesNotHearTheLeaderDeposesNobody) {
  const std::size_t deaf = (leader_ + 1) % nodes_.size();
  const auto before = nodes_.status(leader_);
  ASSERT_TRUE(before.has_value());
  ASSERT_EQ(fault(leader_, {"cut-link", "peer=" + nodes_.name(deaf), "direction=out"}).exit_code,
            0);
  const auto lost = [&] {
    const auto status = nodes_.status(deaf);
    return status && status->leader == base::MemberId();
  };
  EXPECT_TRUE(wait_until(10000 * time_scale(), lost)) << "it notices";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(writing_goes_on());
  EXPECT_TRUE(leads(leader_)) << nodes_.last_words();
  EXPECT_EQ(nodes_.status(leader_)->header.term, before->header.term);
  heal_and_check();
}

TEST_F(LinkFaults, ASlowFollowerHoldsUpNobody) {
  const std::size_t slow = (leader_ + 1) % nodes_.size();
  ASSERT_EQ(fault(slow, {"slow-link", "peer=all", "delay=60ms"}).exit_code, 0);
  ASSERT_EQ(fault(slow, {"narrow-link", "peer=all", "rate=20kB/s"}).exit_code, 0);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(writing_goes_on());
  EXPECT_TRUE(leads(leader_)) << nodes_.last_words();
  heal_and_check();
}

}  // namespace
}  // namespace cluster
