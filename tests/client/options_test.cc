// What Options ask of a client that others do not do: one attempt, one member.
#include "client/options.h"

#include "tests/client/client_fixture.h"

namespace client {
namespace {

using base::Applied;
using Submit = FakeMember::Submit;

Options once() {
  Options options;
  options.retries = false;
  return options;
}

TEST_F(ClientTest, WithoutRetriesALostAnswerIsUnknown) {
  make_three();
  open(once());
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kApplyAndDrop;
  member(0).times = 1;
  const Outcome outcome = put("b", "2");
  EXPECT_EQ(outcome.status.applied(), Applied::kUnknown) << outcome.status.to_string();
  EXPECT_EQ(state_.repeated, 0u);
  EXPECT_TRUE(put("c", "3").status.is_ok()) << "others go on";
}

TEST_F(ClientTest, WithoutRetriesARefusalIsTheEnd) {
  make_three();
  open(once());
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).leads = false;
  member(1).leads = true;
  member(1).term = 2;
  const Outcome outcome = put("b", "2");
  EXPECT_EQ(outcome.status.applied(), Applied::kNo) << outcome.status.to_string();
  EXPECT_TRUE(put("c", "3").status.is_ok()) << "at the one that leads now";
  EXPECT_EQ(member(1).writes.size(), 1u);
}

TEST_F(ClientTest, APinnedClientKnowsNobodyElse) {
  make_three();
  for (int i : {1, 2}) member(static_cast<std::size_t>(i)).peers = {member(0).address()};
  Options options = timeout(1000);
  options.endpoints = {member(1).address()};
  options.pinned = true;
  open(options);
  const Outcome outcome = put("a", "1");
  EXPECT_EQ(outcome.status.applied(), Applied::kNo) << outcome.status.to_string();
  EXPECT_TRUE(member(0).writes.empty());
  EXPECT_EQ(client_->endpoints().size(), 1u);
  EXPECT_TRUE(wait(client_->get("a", Consistency::kSerializable)).status.is_ok());
}

}  // namespace
}  // namespace client
