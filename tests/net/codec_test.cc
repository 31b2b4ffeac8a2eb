// raft::Message to the peer envelope and back.
#include "net/peer/codec.h"

#include <string>
#include <vector>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

namespace net::peer {
namespace {

using base::MemberId;

constexpr base::ClusterId kCluster(77);

raft::Message with_body(raft::MessageBody body) {
  raft::Message message;
  message.from = MemberId(1);
  message.to = MemberId(2);
  message.incarnation = base::Incarnation(3);
  message.opening = {4, 5};
  message.to_opening = {6, 7};
  message.durable = {8, 9};
  message.recovered = {10, 11};
  message.term = base::Term(12);
  message.generation = 13;
  message.body = std::move(body);
  return message;
}

raft::ProgressReport progress() {
  raft::ProgressReport report;
  report.last = base::Index(20);
  report.durable = base::Index(21);
  report.commit = base::Index(22);
  report.applied = base::Index(23);
  report.log_pending_ticks = 24;
  report.apply_pending_ticks = 25;
  report.stalled = true;
  report.quarantined = true;
  report.needs_snapshot = true;
  return report;
}

raft::EntryPtr entry(std::uint64_t index, std::string payload) {
  auto made = std::make_shared<raft::Entry>();
  made->term = base::Term(30);
  made->index = base::Index(index);
  made->kind = raft::EntryKind::kCommand;
  made->time = base::HybridTime(31);
  made->hash = base::ChainHash{32 + index};
  made->payload = std::move(payload);
  return made;
}

raft::AppendEntries append(std::vector<raft::EntryPtr> entries) {
  raft::AppendEntries body;
  body.previous_index = base::Index(40);
  body.previous_term = base::Term(41);
  body.previous_hash = base::ChainHash{42};
  body.entries = std::move(entries);
  body.commit = base::Index(43);
  body.cut_floor = base::Index(44);
  return body;
}

kj::Array<capnp::word> encoded(const raft::Message& message) {
  capnp::MallocMessageBuilder builder;
  encode(message, kCluster, builder.initRoot<schema::Envelope>());
  return capnp::messageToFlatArray(builder);
}

base::Result<raft::Message> decoded(kj::ArrayPtr<const capnp::word> words,
                                    base::ClusterId cluster = kCluster,
                                    MemberId self = MemberId(2)) {
  capnp::FlatArrayMessageReader reader(words);
  return decode(reader.getRoot<schema::Envelope>(), cluster, self);
}

void expect_same_envelope(const raft::Message& got, const raft::Message& want) {
  EXPECT_EQ(got.from, want.from);
  EXPECT_EQ(got.to, want.to);
  EXPECT_EQ(got.incarnation, want.incarnation);
  EXPECT_EQ(got.opening, want.opening);
  EXPECT_EQ(got.to_opening, want.to_opening);
  EXPECT_EQ(got.durable, want.durable);
  EXPECT_EQ(got.recovered, want.recovered);
  EXPECT_EQ(got.term, want.term);
  EXPECT_EQ(got.generation, want.generation);
  EXPECT_EQ(got.body.index(), want.body.index());
}

/// Sends it around and checks the envelope; the body is the caller's to check.
template <class Body>
Body around(const Body& body) {
  const raft::Message message = with_body(body);
  auto got = decoded(encoded(message));
  EXPECT_TRUE(got.is_ok()) << got.status().to_string();
  if (!got.is_ok()) return Body{};
  expect_same_envelope(got.value(), message);
  return std::get<Body>(got.value().body);
}

TEST(Codec, VotesGoAround) {
  const auto vote = around(raft::RequestVote{true, true, base::Index(1), base::Term(2), true});
  EXPECT_TRUE(vote.pre_vote && vote.transfer && vote.quarantined);
  EXPECT_EQ(vote.last_index, base::Index(1));
  EXPECT_EQ(vote.last_term, base::Term(2));
  const auto reply = around(raft::RequestVoteReply{true, false, base::Index(3), base::Term(4)});
  EXPECT_TRUE(reply.pre_vote && !reply.granted);
  EXPECT_EQ(reply.last_index, base::Index(3));
  EXPECT_EQ(reply.last_term, base::Term(4));
  EXPECT_TRUE(around(raft::RequestVoteReply{false, true, {}, {}}).granted);
  around(raft::TimeoutNow{});
}

TEST(Codec, AppendEntriesGoesAround) {
  std::string bytes(1 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  const auto sent =
      append({entry(41, ""), entry(42, "x"), entry(43, bytes), entry(44, "12345678")});
  const auto got = around(sent);
  EXPECT_EQ(got.previous_index, sent.previous_index);
  EXPECT_EQ(got.previous_term, sent.previous_term);
  EXPECT_EQ(got.previous_hash, sent.previous_hash);
  EXPECT_EQ(got.commit, sent.commit);
  EXPECT_EQ(got.cut_floor, sent.cut_floor);
  ASSERT_EQ(got.entries.size(), sent.entries.size());
  for (std::size_t i = 0; i < got.entries.size(); ++i) {
    EXPECT_EQ(got.entries[i]->term, sent.entries[i]->term);
    EXPECT_EQ(got.entries[i]->index, sent.entries[i]->index);
    EXPECT_EQ(got.entries[i]->kind, sent.entries[i]->kind);
    EXPECT_EQ(got.entries[i]->time, sent.entries[i]->time);
    EXPECT_EQ(got.entries[i]->hash, sent.entries[i]->hash);
    EXPECT_EQ(got.entries[i]->payload, sent.entries[i]->payload);
  }
  EXPECT_TRUE(around(append({})).entries.empty());
  const auto reply = around(
      raft::AppendEntriesReply{true, base::Index(1), base::Index(2), true, true, progress()});
  EXPECT_TRUE(reply.success && reply.diverged && reply.clock);
  EXPECT_EQ(reply.match, base::Index(1));
  EXPECT_EQ(reply.hint, base::Index(2));
  EXPECT_EQ(reply.progress, progress());
}

TEST(Codec, HeartbeatsAndRefusalsGoAround) {
  const raft::RoundToken round{base::Term(1), 2, 3};
  const auto beat = around(raft::Heartbeat{base::Index(4), round, base::Index(5), progress()});
  EXPECT_EQ(beat.commit, base::Index(4));
  EXPECT_EQ(beat.round, round);
  EXPECT_EQ(beat.cut_floor, base::Index(5));
  EXPECT_EQ(beat.progress, progress());
  const auto reply = around(raft::HeartbeatReply{round, false, progress()});
  EXPECT_EQ(reply.round, round);
  EXPECT_FALSE(reply.supports);
  EXPECT_EQ(reply.progress, progress());
  const auto refusal = around(raft::Refusal{raft::RefusalReason::kUnknownIncarnation, {6, 7}});
  EXPECT_EQ(refusal.reason, raft::RefusalReason::kUnknownIncarnation);
  EXPECT_EQ(refusal.remembered, (base::Ordinal{6, 7}));
}

TEST(Codec, SnapshotsGoAround) {
  raft::InstallSnapshot sent;
  sent.snapshot = {base::Index(1), base::Term(2), base::ChainHash{3}, base::HybridTime(4), "conf"};
  sent.chunk = 5;
  sent.transfer = 9;
  sent.data = std::make_shared<const std::string>(3 << 20, 'x');
  sent.done = true;
  const auto got = around(sent);
  EXPECT_EQ(got.snapshot, sent.snapshot);
  EXPECT_EQ(got.chunk, 5u);
  EXPECT_EQ(got.transfer, 9u);
  EXPECT_TRUE(got.done);
  ASSERT_NE(got.data, nullptr);
  EXPECT_EQ(*got.data, *sent.data);
  const auto reply = around(raft::InstallSnapshotReply{8, base::Index(1), 6, true, progress()});
  EXPECT_EQ(reply.transfer, 8u);
  EXPECT_EQ(reply.index, base::Index(1));
  EXPECT_EQ(reply.next_chunk, 6u);
  EXPECT_TRUE(reply.installed);
  EXPECT_EQ(reply.progress, progress());
}

TEST(Codec, PullsAndReadIndexesGoAround) {
  const auto pull = around(raft::Pull{base::Index(1), base::Term(2), base::ChainHash{3}});
  EXPECT_EQ(pull.previous_index, base::Index(1));
  EXPECT_EQ(pull.previous_term, base::Term(2));
  EXPECT_EQ(pull.previous_hash, base::ChainHash{3});
  const auto pulled = around(raft::PullReply{true,
                                             base::Index(40),
                                             base::Index(2),
                                             {entry(41, "a"), entry(42, "")},
                                             base::Index(50),
                                             base::Term(51)});
  EXPECT_TRUE(pulled.agrees);
  EXPECT_EQ(pulled.previous_index, base::Index(40));
  EXPECT_EQ(pulled.hint, base::Index(2));
  ASSERT_EQ(pulled.entries.size(), 2u);
  EXPECT_EQ(pulled.entries[0]->payload, "a");
  EXPECT_EQ(pulled.last_index, base::Index(50));
  EXPECT_EQ(pulled.last_term, base::Term(51));
  EXPECT_EQ(around(raft::ReadIndexRequest{7}).id, 7u);
  const auto read = around(raft::ReadIndexReply{7, base::Code::kNotLeader, base::Index(9)});
  EXPECT_EQ(read.id, 7u);
  EXPECT_EQ(read.code, base::Code::kNotLeader);
  EXPECT_EQ(read.index, base::Index(9));
  EXPECT_EQ(around(raft::WantTime{base::HybridTime(5, 6)}).time, base::HybridTime(5, 6));
}

TEST(Codec, StrangersAreRefused) {
  const auto words = encoded(with_body(raft::TimeoutNow{}));
  EXPECT_EQ(decoded(words, base::ClusterId(78)).status().code(), base::Code::kWrongCluster);
  EXPECT_EQ(decoded(words, kCluster, MemberId(3)).status().code(), base::Code::kWrongMember);
  raft::Message own = with_body(raft::TimeoutNow{});
  own.from = own.to;
  EXPECT_EQ(decoded(encoded(own)).status().code(), base::Code::kWrongMember);
}

TEST(Codec, EntriesThatDoNotFollowOneAnotherAreRefused) {
  for (const auto& entries : {std::vector{entry(42, "")}, std::vector{entry(41, ""), entry(43, "")},
                              std::vector{entry(40, "")}}) {
    EXPECT_EQ(decoded(encoded(with_body(append(entries)))).status().code(), base::Code::kCorrupt);
  }
}

TEST(Codec, AMessageTakesNoMoreThanIsSaidAndIsBuiltWithoutSlack) {
  const std::string payload(10'000, 'p');
  for (const auto& body :
       {raft::MessageBody(raft::TimeoutNow{}), raft::MessageBody(raft::Heartbeat{}),
        raft::MessageBody(append({entry(41, payload), entry(42, payload)}))}) {
    const auto message = with_body(body);
    const auto words = encoded(message);
    EXPECT_LE(words.size() * 8, envelope_bytes(message));
    EXPECT_GT(words.size() * 8 + 1024, envelope_bytes(message));
    capnp::FlatArrayMessageReader reader(words);
    const auto data = reader.getRoot<schema::Envelope>().getBody();
    capnp::FlatArrayMessageReader inner(
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(data.begin()), data.size() / 8));
    EXPECT_EQ(inner.getRoot<schema::Body>().totalSize().wordCount + 2, data.size() / 8);
  }
}

TEST(Codec, EveryFlippedBitOfAnEnvelopeIsRefused) {
  raft::Message message;
  message.from = MemberId(1);
  message.to = MemberId(2);
  message.term = base::Term(9);
  message.opening = {4, 5};
  message.durable = {4, 6};
  raft::Heartbeat body;
  body.commit = base::Index(12);
  body.progress.durable = base::Index(11);
  message.body = body;
  capnp::MallocMessageBuilder builder;
  encode(message, kCluster, builder.initRoot<schema::Envelope>());
  const auto words = capnp::messageToFlatArray(builder);
  const auto decoded = [&](kj::ArrayPtr<const capnp::word> from) -> base::Result<raft::Message> {
    try {
      capnp::FlatArrayMessageReader reader(from);
      return decode(reader.getRoot<schema::Envelope>(), kCluster, MemberId(2));
    } catch (const kj::Exception&) {
      return base::Status(base::Code::kCorrupt, "");
    }
  };
  const auto whole = decoded(words);
  ASSERT_TRUE(whole.is_ok());
  EXPECT_EQ(raft::to_string(whole.value()), raft::to_string(message));
  int changed = 0;
  for (std::size_t bit = 0; bit < words.size() * 64; ++bit) {
    auto copy = kj::heapArray<capnp::word>(words);
    copy.asBytes()[bit / 8] ^= static_cast<kj::byte>(1 << (bit % 8));
    const auto other = decoded(copy);
    // Padding may change freely; what is read may not.
    if (other.is_ok()) {
      EXPECT_EQ(raft::to_string(other.value()), raft::to_string(message)) << bit;
      EXPECT_EQ(other.value().opening, message.opening) << bit;
      EXPECT_EQ(other.value().durable, message.durable) << bit;
    } else {
      ++changed;
    }
  }
  EXPECT_GT(changed, 1000);
}

}  // namespace
}  // namespace net::peer
