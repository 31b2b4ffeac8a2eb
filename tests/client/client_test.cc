// The library against members that misbehave on real sockets: what it promises of retries, silence,
// leaders that move, and outcomes that nobody knows.
#include "client/client.h"

#include "tests/client/client_fixture.h"

namespace client {
namespace {

using base::Applied;
using base::Code;
using Submit = FakeMember::Submit;

TEST_F(ClientTest, WritesAndReadsThroughTheLeader) {
  make_three();
  open();
  const Outcome written = put("a", "1");
  ASSERT_TRUE(written.status.is_ok()) << written.status.to_string();
  EXPECT_EQ(written.result.revision, base::Revision(1));
  EXPECT_EQ(written.header.member, base::MemberId(1));
  const Outcome read = wait(client_->get("a"));
  ASSERT_TRUE(read.status.is_ok());
  EXPECT_EQ(std::get<kv::RangeResult>(read.result.results.at(0)).items.at(0).value, "1");
  EXPECT_TRUE(member(1).writes.empty());
  EXPECT_TRUE(member(2).writes.empty());
}

TEST_F(ClientTest, FindsALeaderThatItWasNotToldOf) {
  make_three();
  for (int i : {1, 2}) member(static_cast<std::size_t>(i)).peers = {member(0).address()};
  Options options;
  options.endpoints = {member(1).address()};
  open(options);
  EXPECT_TRUE(put("a", "1").status.is_ok());
  EXPECT_EQ(member(0).writes.size(), 1u);
  EXPECT_EQ(client_->endpoints().size(), 2u);
}

TEST_F(ClientTest, FollowsTheHintWithTheSameSequence) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).leads = false;
  member(0).leader_hint = member(2).address();
  member(2).leads = true;
  member(2).term = 2;
  ASSERT_TRUE(put("b", "2").status.is_ok());
  EXPECT_LT(took_ms_, 300u);
  ASSERT_EQ(member(2).writes.size(), 1u);
  EXPECT_EQ(member(2).writes[0].sequence, 2u);
  expect_one_identity_a_key();
}

TEST_F(ClientTest, EveryAttemptOfACallCarriesItsTrace) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kApplyAndDrop;
  member(0).times = 1;
  const Outcome outcome = put("b", "2");
  ASSERT_TRUE(outcome.repeated);
  EXPECT_NE(outcome.trace, 0u);
  std::size_t attempts = 0;
  for (const Arrival& arrival : member(0).writes) {
    if (arrival.key != "b") {
      EXPECT_NE(arrival.trace, outcome.trace) << "another call has another";
      continue;
    }
    ++attempts;
    EXPECT_EQ(arrival.trace, outcome.trace);
  }
  EXPECT_EQ(attempts, 2u);
}

TEST_F(ClientTest, AFrozenLeaderDoesNotHoldItsClients) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).frozen = true;
  after(300, [this] {
    member(1).leads = true;
    member(1).term = 2;
  });
  for (auto i : {1, 2}) member(static_cast<std::size_t>(i)).leader_hint = member(0).address();
  const Outcome outcome = put("b", "2");
  ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
  EXPECT_LT(took_ms_, 1500u);
  EXPECT_EQ(state_.values["b"], "2");
  expect_one_identity_a_key();
}

TEST_F(ClientTest, AFrozenSeedDoesNotDelayAnyone) {
  make_three();
  member(1).frozen = true;
  member(2).frozen = true;
  Options options;
  options.endpoints = {member(1).address(), member(2).address(), member(0).address()};
  open(options);
  ASSERT_TRUE(put("a", "1").status.is_ok());
  EXPECT_LT(took_ms_, 300u);
}

TEST_F(ClientTest, AWriteWhoseAnswerWasLostIsRepeatedUnderItsOwnSequence) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kApplyAndDrop;
  member(0).times = 1;
  const Outcome outcome = put("b", "2");
  ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
  EXPECT_TRUE(outcome.repeated);
  EXPECT_EQ(outcome.result.revision, base::Revision(2));
  EXPECT_EQ(state_.revision, 2u) << "applied once";
  EXPECT_EQ(state_.repeated, 1u);
  expect_one_identity_a_key();
}

TEST_F(ClientTest, LostLeadershipIsRetriedAtTheNextLeader) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kApplyAndFail;
  member(0).code = Code::kLeadershipLost;
  member(0).leads = true;
  member(0).times = 1;
  after(50, [this] {
    member(0).leads = false;
    member(1).leads = true;
    member(1).term = 2;
  });
  const Outcome outcome = put("b", "2");
  ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
  EXPECT_TRUE(outcome.repeated);
  EXPECT_EQ(state_.revision, 2u);
  expect_one_identity_a_key();
}

TEST_F(ClientTest, WithoutALeaderCallsEndEarlyAndSurelyNotApplied) {
  make_three();
  member(0).leads = false;
  open();
  const Outcome written = put("a", "1");
  EXPECT_EQ(written.status.code(), Code::kNoLeader) << written.status.to_string();
  EXPECT_GE(took_ms_, 1500u);
  EXPECT_LT(took_ms_, 2500u);
  EXPECT_EQ(base::traits(written.status.code()).exit_code, 4);
  const Outcome read = wait(client_->get("a"));
  EXPECT_EQ(read.status.code(), Code::kNoLeader);
  EXPECT_LT(took_ms_, 2500u);
  EXPECT_TRUE(state_.values.empty());
}

TEST_F(ClientTest, WithNobodyReachableCallsEndEarlyAndSayWho) {
  make_three();
  open();
  for (const auto& each : members_) each->stop();
  const Outcome outcome = put("a", "1");
  EXPECT_EQ(outcome.status.code(), Code::kUnavailable);
  EXPECT_NE(outcome.status.detail().find(member(1).address()), std::string::npos);
  EXPECT_GE(took_ms_, 1500u);
  EXPECT_LT(took_ms_, 2500u);
}

TEST_F(ClientTest, AWriteThatWasSentEndsUnknownWhenTheLeaderIsGone) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kApplyAndDrop;
  after(1, [this] { member(0).leads = true; });
  auto promise = client_->put("b", "2");
  after(100, [this] { member(0).stop(); });
  const Outcome outcome = wait(kj::mv(promise));
  EXPECT_EQ(outcome.status.applied(), Applied::kUnknown) << outcome.status.to_string();
  EXPECT_EQ(base::traits(outcome.status.code()).exit_code, 5);
  EXPECT_GE(took_ms_, 1500u);
  EXPECT_LT(took_ms_, 3000u);
}

TEST_F(ClientTest, AReadNeverEndsUnknown) {
  make_three();
  open(timeout(800));
  member(0).submit = Submit::kHold;
  const Outcome outcome = wait(client_->get("a"));
  EXPECT_EQ(outcome.status.applied(), Applied::kNo) << outcome.status.to_string();
  EXPECT_EQ(base::traits(outcome.status.code()).exit_code, 4);
}

TEST_F(ClientTest, ALeaderThatLivesButDoesNotFinishIsWaitedForUntilTheDeadline) {
  make_three();
  open(timeout(1200));
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kHold;
  const Outcome outcome = put("b", "2");
  EXPECT_EQ(outcome.status.code(), Code::kTimeout);
  EXPECT_GE(took_ms_, 1200u);
  EXPECT_LT(took_ms_, 1500u);
  EXPECT_EQ(member(0).writes.size(), 2u) << "it answers status, so nothing is repeated";
}

TEST_F(ClientTest, CallsAtAnOldLeaderAreRepeatedAtTheNew) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kHold;
  after(100, [this] {
    member(0).leads = false;
    member(1).leads = true;
    member(1).term = 2;
  });
  ASSERT_TRUE(put("b", "2").status.is_ok());
  EXPECT_LT(took_ms_, 1500u);
  expect_one_identity_a_key();
}

TEST_F(ClientTest, AnEvictedSessionIsReplacedIfNothingIsInDoubt) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  const base::SessionId before = client_->session();
  state_.sessions.clear();
  ASSERT_TRUE(put("b", "2").status.is_ok());
  EXPECT_NE(client_->session(), before);
  EXPECT_EQ(state_.revision, 2u);
}

TEST_F(ClientTest, AnEvictedSessionLeavesADoubtfulWriteUnknown) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kApplyAndFail;
  member(0).code = Code::kLeadershipLost;
  member(0).times = 1;
  auto promise = client_->put("b", "2");
  after(5, [this] { state_.sessions.clear(); });
  const Outcome outcome = wait(kj::mv(promise));
  EXPECT_EQ(outcome.status.code(), Code::kUnknownSession) << outcome.status.to_string();
  EXPECT_EQ(outcome.status.applied(), Applied::kUnknown);
  EXPECT_EQ(state_.revision, 2u) << "the write must not be done again under another session";
  EXPECT_TRUE(put("c", "3").status.is_ok()) << "later writes open a new session";
}

TEST_F(ClientTest, CallsOfOneTurnTravelTogether) {
  make_three();
  open();
  ASSERT_TRUE(put("first", "1").status.is_ok());
  member(0).batches.clear();
  auto promises = kj::heapArrayBuilder<kj::Promise<void>>(300);
  std::uint32_t done = 0;
  for (int i = 0; i < 300; ++i)
    promises.add(client_->put("k" + std::to_string(i), "v").then([&done](Outcome&& outcome) {
      done += outcome.status.is_ok() ? 1 : 0;
    }));
  ASSERT_TRUE(loop_.wait(kj::joinPromises(promises.finish()), 5000));
  EXPECT_EQ(done, 300u);
  EXPECT_EQ(member(0).batches, (std::vector<std::size_t>{256, 44}));
  expect_one_identity_a_key();
}

TEST_F(ClientTest, ABatchStaysBelowItsBytes) {
  make_three();
  open();
  ASSERT_TRUE(put("first", "1").status.is_ok());
  member(0).batches.clear();
  auto promises = kj::heapArrayBuilder<kj::Promise<void>>(5);
  for (int i = 0; i < 5; ++i)
    promises.add(client_->put("k" + std::to_string(i), std::string(400'000, 'v')).ignoreResult());
  ASSERT_TRUE(loop_.wait(kj::joinPromises(promises.finish()), 5000));
  EXPECT_EQ(member(0).batches, (std::vector<std::size_t>{2, 2, 1}));
}

TEST_F(ClientTest, RepliesTooLargeTogetherAreAskedForOneByOne) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kThrowIfMany;
  auto promises = kj::heapArrayBuilder<kj::Promise<void>>(4);
  std::uint32_t done = 0;
  for (int i = 0; i < 4; ++i)
    promises.add(client_->put("k" + std::to_string(i), "v").then([&done](Outcome&& outcome) {
      done += outcome.status.is_ok() ? 1 : 0;
    }));
  ASSERT_TRUE(loop_.wait(kj::joinPromises(promises.finish()), 5000));
  EXPECT_EQ(done, 4u);
  expect_one_identity_a_key();
}

TEST_F(ClientTest, AcknowledgesOnlyWhatIsFinished) {
  make_three();
  open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(put("k" + std::to_string(i), "v").status.is_ok());
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(member(0).writes[i].sequence, i + 1);
    EXPECT_EQ(member(0).writes[i].acknowledged_below, i + 1);
  }
}

TEST_F(ClientTest, OverloadIsRetriedAndThenReported) {
  make_three();
  open(timeout(700));
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kRefuse;
  member(0).code = Code::kOverloaded;
  member(0).times = 2;
  EXPECT_TRUE(put("b", "2").status.is_ok());
  member(0).times = 0;
  member(0).submit = Submit::kRefuse;
  const Outcome outcome = put("c", "3");
  EXPECT_EQ(outcome.status.code(), Code::kOverloaded) << outcome.status.to_string();
  EXPECT_GE(took_ms_, 700u);
}

TEST_F(ClientTest, ADefiniteRefusalEndsTheCallAtOnce) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kRefuse;
  member(0).code = Code::kDiskFull;
  const Outcome outcome = put("b", "2");
  EXPECT_EQ(outcome.status.code(), Code::kDiskFull);
  EXPECT_EQ(outcome.status.applied(), Applied::kNo);
  EXPECT_LT(took_ms_, 500u);
}

TEST_F(ClientTest, InvalidRequestsAreNotSent) {
  make_three();
  open();
  EXPECT_EQ(put("", "1").status.code(), Code::kInvalidArgument);
  EXPECT_EQ(put(std::string(5000, 'k'), "1").status.code(), Code::kTooLarge);
  EXPECT_EQ(put("a", std::string(1536 * 1024 + 1, 'v')).status.code(), Code::kTooLarge);
  kv::Transaction writing;
  writing.otherwise.push_back(kv::PutOperation{"a", "1", false});
  EXPECT_EQ(wait(client_->read(writing)).status.code(), Code::kInvalidArgument);
  EXPECT_EQ(member(0).connections, 0u);
  EXPECT_FALSE(Client::make(loop_, Options{}).is_ok());
  Options nonsense;
  nonsense.endpoints = {"nonsense"};
  EXPECT_FALSE(Client::make(loop_, nonsense).is_ok());
}

TEST_F(ClientTest, ASerializableReadNeedsNoLeader) {
  make_three();
  member(0).leads = false;
  member(0).frozen = true;
  state_.values["a"] = "1";
  open();
  const Outcome outcome = wait(client_->get("a", Consistency::kSerializable));
  ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
  EXPECT_LT(took_ms_, 300u);
}

TEST_F(ClientTest, SaysWhatItHasSeenUntilItForgets) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  EXPECT_EQ(member(0).seen.applied, base::Index()) << "nothing yet";
  ASSERT_TRUE(put("a", "2").status.is_ok());  // whose answer is of revision 1
  ASSERT_TRUE(put("a", "3").status.is_ok());
  EXPECT_EQ(member(0).seen.applied, base::Index(1));
  EXPECT_EQ(member(0).seen.generation, 3u);
  EXPECT_EQ(member(0).seen.hash.value, 7u);
  EXPECT_EQ(member(0).seen.time, base::HybridTime(1, 0));
  client_->accept_history();
  ASSERT_TRUE(put("a", "4").status.is_ok());
  EXPECT_EQ(member(0).seen.applied, base::Index());
}

TEST_F(ClientTest, AMemberOfAnotherHistoryIsLeftForOneThatGoesOn) {
  make_three();
  member(0).submit = FakeMember::Submit::kRefuse;
  member(0).code = Code::kOtherHistory;
  member(1).leads = true;
  member(1).term = 2;
  open();
  EXPECT_TRUE(put("a", "1").status.is_ok());
  EXPECT_EQ(member(1).writes.size(), 1u);
}

TEST_F(ClientTest, IfNobodyGoesOnFromWhatWasSeenTheCallerIsTold) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  for (int i = 0; i < 3; ++i) {
    member(i).submit = FakeMember::Submit::kRefuse;
    member(i).code = Code::kOtherHistory;
  }
  const Outcome outcome = put("a", "2");
  EXPECT_EQ(outcome.status.code(), Code::kOtherHistory);
  EXPECT_EQ(outcome.status.applied(), base::Applied::kNo);
  EXPECT_LT(took_ms_, 3000u);
}

TEST_F(ClientTest, AMemberThatComesBackIsFound) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).stop();
  after(500, [this] { member(0).start(); });
  const Outcome outcome = put("b", "2");
  ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
  EXPECT_GE(took_ms_, 450u);
  EXPECT_EQ(state_.revision, 2u);
}

TEST_F(ClientTest, ADroppedClientLeavesNothingBehind) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  member(0).submit = Submit::kHold;
  bool rejected = false;
  auto promise =
      client_->put("b", "2").then([](Outcome&&) {}, [&](kj::Exception&&) { rejected = true; });
  client_.reset();
  EXPECT_TRUE(loop_.wait(kj::mv(promise), 1000));
  EXPECT_TRUE(rejected);
}

TEST_F(ClientTest, ClosesItsSession) {
  make_three();
  open();
  ASSERT_TRUE(put("a", "1").status.is_ok());
  EXPECT_EQ(state_.sessions.size(), 1u);
  EXPECT_TRUE(wait(client_->close_session()).status.is_ok());
  EXPECT_TRUE(state_.sessions.empty());
}

TEST_F(ClientTest, StatusOfOneMember) {
  make_three();
  auto ask = [&](const std::string& endpoint) {
    auto answer = std::make_shared<base::Result<MemberStatus>>(
        base::Status(Code::kInternal, "never resolved"));
    EXPECT_TRUE(
        loop_.wait(status(loop_, endpoint, 300).then([answer](base::Result<MemberStatus>&& a) {
          *answer = std::move(a);
        }),
                   2000));
    return *answer;
  };
  ASSERT_TRUE(ask(member(0).address()).is_ok());
  EXPECT_TRUE(ask(member(0).address()).value().leads());
  member(1).frozen = true;
  EXPECT_EQ(ask(member(1).address()).status().code(), Code::kUnavailable);
  member(2).stop();
  EXPECT_EQ(ask(member(2).address()).status().code(), Code::kUnavailable);
  EXPECT_EQ(ask("nonsense").status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace client
