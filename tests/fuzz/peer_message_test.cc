// Decoders of what comes from outside take any bytes: seeded, bounded, under the sanitizers too.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "net/peer/codec.h"

namespace {

constexpr base::ClusterId kCluster(5);
constexpr base::MemberId kSelf(2);

raft::Message random_message(base::Random& random) {
  raft::Message message;
  message.from = base::MemberId(1);
  message.to = kSelf;
  message.term = base::Term(random.below(10));
  raft::AppendEntries append;
  for (std::uint64_t i = 0; i < random.below(4); ++i) {
    auto entry = std::make_shared<raft::Entry>();
    entry->index = base::Index(i + 1);
    entry->payload = std::string(random.below(300), 'x');
    append.entries.push_back(entry);
  }
  switch (random.below(15)) {
    case 0:
      message.body = raft::RequestVote{};
      break;
    case 1:
      message.body = raft::RequestVoteReply{};
      break;
    case 2:
      message.body = append;
      break;
    case 3:
      message.body = raft::AppendEntriesReply{};
      break;
    case 4:
      message.body = raft::Heartbeat{};
      break;
    case 5:
      message.body = raft::HeartbeatReply{};
      break;
    case 6:
      message.body = raft::TimeoutNow{};
      break;
    case 7: {
      raft::InstallSnapshot install;
      install.snapshot.configuration = std::string(random.below(60), 'c');
      install.data = std::make_shared<const std::string>(random.below(500), 'd');
      message.body = install;
      break;
    }
    case 8:
      message.body = raft::InstallSnapshotReply{};
      break;
    case 9:
      message.body = raft::Pull{};
      break;
    case 10: {
      raft::PullReply pulled;
      pulled.entries = append.entries;
      message.body = pulled;
      break;
    }
    case 11:
      message.body = raft::ReadIndexRequest{};
      break;
    case 12:
      message.body = raft::ReadIndexReply{};
      break;
    case 13:
      message.body = raft::WantTime{};
      break;
    default:
      message.body = raft::Refusal{};
      break;
  }
  return message;
}

/// Returns whether it was taken; must not crash, whatever the words.
bool decodes(kj::ArrayPtr<const capnp::word> words) {
  try {
    capnp::FlatArrayMessageReader reader(words);
    return net::peer::decode(reader.getRoot<schema::Envelope>(), kCluster, kSelf).is_ok();
  } catch (const kj::Exception&) {
    return false;
  }
}

TEST(FuzzPeerMessage, WholeMessagesAreTakenAndDamagedOnesDoNoHarm) {
  base::Random random(20261125);
  int taken = 0, refused = 0;
  for (int round = 0; round < 20000; ++round) {
    capnp::MallocMessageBuilder builder;
    net::peer::encode(random_message(random), kCluster, builder.initRoot<schema::Envelope>());
    auto words = capnp::messageToFlatArray(builder);
    ASSERT_TRUE(decodes(words));
    auto bytes = words.asBytes();
    for (std::uint64_t i = 0; i <= random.below(6); ++i) {
      bytes[random.below(bytes.size())] = static_cast<kj::byte>(random.below(256));
    }
    const std::size_t length = random.chance(4) ? random.below(words.size() + 1) : words.size();
    ++(decodes(words.slice(0, length)) ? taken : refused);
  }
  EXPECT_GT(refused, 10000);
}

/// The checksum stops nearly all of the above, so bodies are damaged under a right checksum too.
TEST(FuzzPeerMessage, DamagedBodiesUnderARightChecksumDoNoHarm) {
  base::Random random(7);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    capnp::MallocMessageBuilder builder;
    auto envelope = builder.initRoot<schema::Envelope>();
    net::peer::encode(random_message(random), kCluster, envelope);
    auto body = envelope.getBody();
    for (std::uint64_t i = 0; i <= random.below(4); ++i) {
      body[random.below(body.size())] = static_cast<kj::byte>(random.below(256));
    }
    envelope.setChecksum(net::peer::checksum(envelope.asReader()));
    refused += decodes(capnp::messageToFlatArray(builder)) ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

TEST(FuzzPeerMessage, RandomWordsDoNoHarm) {
  base::Random random(99);
  for (int round = 0; round < 50000; ++round) {
    auto words = kj::heapArray<capnp::word>(random.below(64) + 1);
    for (kj::byte& each : words.asBytes()) {
      each = static_cast<kj::byte>(random.chance(3) ? random.below(256) : random.below(4));
    }
    EXPECT_FALSE(decodes(words));
  }
}

/// A list of structs of no size costs its sender nothing, whatever its length; it must not become
/// entries.
TEST(FuzzPeerMessage, AListOfNothingBecomesNothing) {
  for (const std::uint32_t elements : {50u, 0x1fffffffu}) {
    auto entry = std::make_shared<raft::Entry>();
    entry->index = base::Index(1);
    entry->payload = std::string(1000, 'x');  // so that 50 elements are within the reader's limit
    raft::AppendEntries append;
    append.entries.push_back(entry);
    raft::Message message;
    message.from = base::MemberId(1);
    message.to = kSelf;
    message.body = append;
    capnp::MallocMessageBuilder builder;
    auto envelope = builder.initRoot<schema::Envelope>();
    net::peer::encode(message, kCluster, envelope);
    // The list's tag: a count, here of one, then 5 words of data and 1 pointer an element.
    const kj::byte tag[8] = {1 << 2, 0, 0, 0, 5, 0, 1, 0};
    auto body = envelope.getBody();
    auto* found = std::search(body.begin(), body.end(), tag, tag + 8);
    ASSERT_NE(found, body.end());
    for (int i = 0; i < 8; ++i) {
      found[i] = i < 4 ? static_cast<kj::byte>(elements << 2 >> (8 * i)) : kj::byte{0};
    }
    envelope.setChecksum(net::peer::checksum(envelope.asReader()));
    EXPECT_FALSE(decodes(capnp::messageToFlatArray(builder))) << elements;
  }
}

}  // namespace
