#include "net/peer/codec.h"

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <capnp/message.h>
#include <capnp/orphan.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include "base/check.h"
#include "base/hash.h"

namespace net::peer {
namespace {

using base::Code;
using base::Status;

capnp::Data::Reader data(const std::string& bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

void put(const base::Ordinal& from, schema::Ordinal::Builder to) {
  to.setEpoch(from.epoch);
  to.setCounter(from.counter);
}
base::Ordinal get(schema::Ordinal::Reader from) {
  return {from.getEpoch(), from.getCounter()};
}

void put(const base::Opening& from, schema::Opening::Builder to) {
  to.setEpoch(from.epoch);
  to.setNonce(from.nonce);
}
base::Opening get(schema::Opening::Reader from) {
  return {from.getEpoch(), from.getNonce()};
}

void put(const raft::RoundToken& from, schema::RoundToken::Builder to) {
  to.setTerm(from.term.value);
  to.setEpoch(from.epoch);
  to.setCounter(from.counter);
}
raft::RoundToken get(schema::RoundToken::Reader from) {
  return {base::Term(from.getTerm()), from.getEpoch(), from.getCounter()};
}

void put(const raft::ProgressReport& from, schema::ProgressReport::Builder to) {
  to.setLast(from.last.value);
  to.setDurable(from.durable.value);
  to.setCommit(from.commit.value);
  to.setApplied(from.applied.value);
  to.setLogPendingTicks(from.log_pending_ticks);
  to.setApplyPendingTicks(from.apply_pending_ticks);
  to.setStalled(from.stalled);
  to.setQuarantined(from.quarantined);
}
raft::ProgressReport get(schema::ProgressReport::Reader from) {
  return {base::Index(from.getLast()),
          base::Index(from.getDurable()),
          base::Index(from.getCommit()),
          base::Index(from.getApplied()),
          from.getLogPendingTicks(),
          from.getApplyPendingTicks(),
          from.getStalled(),
          from.getQuarantined()};
}

// ---- Bodies, one pair a message ----

struct Writer {
  schema::Body::Builder body;

  void operator()(const raft::RequestVote& from) {
    auto to = body.initRequestVote();
    to.setPreVote(from.pre_vote);
    to.setTransfer(from.transfer);
    to.setLastIndex(from.last_index.value);
    to.setLastTerm(from.last_term.value);
  }
  void operator()(const raft::RequestVoteReply& from) {
    auto to = body.initRequestVoteReply();
    to.setPreVote(from.pre_vote);
    to.setGranted(from.granted);
  }
  void operator()(const raft::AppendEntries& from) {
    auto to = body.initAppendEntries();
    to.setPreviousIndex(from.previous_index.value);
    to.setPreviousTerm(from.previous_term.value);
    to.setPreviousHash(from.previous_hash.value);
    to.setCommit(from.commit.value);
    to.setCutFloor(from.cut_floor.value);
    auto entries = to.initEntries(static_cast<kj::uint>(from.entries.size()));
    for (kj::uint i = 0; i < entries.size(); ++i) {
      const raft::Entry& entry = *from.entries[i];
      auto out = entries[i];
      out.setTerm(entry.term.value);
      out.setIndex(entry.index.value);
      out.setKind(static_cast<std::uint8_t>(entry.kind));
      out.setTime(entry.time.value);
      out.setHash(entry.hash.value);
      out.setPayload(data(entry.payload));
    }
  }
  void operator()(const raft::AppendEntriesReply& from) {
    auto to = body.initAppendEntriesReply();
    to.setSuccess(from.success);
    to.setMatch(from.match.value);
    to.setHint(from.hint.value);
    to.setDiverged(from.diverged);
    put(from.progress, to.initProgress());
  }
  void operator()(const raft::Heartbeat& from) {
    auto to = body.initHeartbeat();
    to.setCommit(from.commit.value);
    put(from.round, to.initRound());
    to.setCutFloor(from.cut_floor.value);
    put(from.progress, to.initProgress());
  }
  void operator()(const raft::HeartbeatReply& from) {
    auto to = body.initHeartbeatReply();
    put(from.round, to.initRound());
    to.setSupports(from.supports);
    put(from.progress, to.initProgress());
  }
  void operator()(const raft::TimeoutNow&) { body.setTimeoutNow(); }
  void operator()(const raft::Refusal& from) {
    auto to = body.initRefusal();
    to.setReason(static_cast<std::uint8_t>(from.reason));
    put(from.remembered, to.initRemembered());
  }
};

/// What a body occupies at most, without its table.
std::size_t body_words(const raft::MessageBody& body) {
  constexpr std::size_t kFixedWords = 64;  // every message, but for the entries of AppendEntries
  const auto* append = std::get_if<raft::AppendEntries>(&body);
  if (append == nullptr) return kFixedWords;
  std::size_t words = kFixedWords;
  for (const auto& entry : append->entries) {
    words += capnp::sizeInWords<schema::Entry>() + (entry->payload.size() + 7) / 8;
  }
  return words;
}

/// Builds the body where it will lie in the envelope, as a flat message: a table of one segment,
/// then the segment.
void write_body(const raft::MessageBody& body, schema::Envelope::Builder to) {
  const std::size_t most = body_words(body);
  auto orphan = capnp::Orphanage::getForMessageContaining(to).newOrphan<capnp::Data>(
      static_cast<kj::uint>((1 + most) * sizeof(capnp::word)));
  kj::byte* table = orphan.get().begin();
  capnp::FlatMessageBuilder builder(
      kj::arrayPtr(reinterpret_cast<capnp::word*>(table + sizeof(capnp::word)), most));
  std::visit(Writer{builder.initRoot<schema::Body>()}, body);
  const std::size_t used = builder.getSegmentsForOutput()[0].size();
  for (int i = 0; i < 4; ++i) table[4 + i] = static_cast<kj::byte>(used >> (8 * i));
  orphan.truncate(static_cast<kj::uint>((1 + used) * sizeof(capnp::word)));
  to.adoptBody(kj::mv(orphan));
}

std::optional<raft::AppendEntries> read(schema::AppendEntries::Reader from) {
  raft::AppendEntries to;
  to.previous_index = base::Index(from.getPreviousIndex());
  to.previous_term = base::Term(from.getPreviousTerm());
  to.previous_hash = base::ChainHash{from.getPreviousHash()};
  to.commit = base::Index(from.getCommit());
  to.cut_floor = base::Index(from.getCutFloor());
  const auto entries = from.getEntries();
  to.entries.reserve(entries.size());
  for (auto in : entries) {
    if (in.getKind() > static_cast<std::uint8_t>(raft::EntryKind::kConfiguration)) return {};
    // Also keeps a list of empty structs, which costs its sender nothing, from becoming entries.
    if (in.getIndex() != from.getPreviousIndex() + 1 + to.entries.size()) return {};
    auto entry = std::make_shared<raft::Entry>();
    entry->term = base::Term(in.getTerm());
    entry->index = base::Index(in.getIndex());
    entry->kind = static_cast<raft::EntryKind>(in.getKind());
    entry->time = base::HybridTime(in.getTime());
    entry->hash = base::ChainHash{in.getHash()};
    const auto payload = in.getPayload();
    entry->payload.assign(reinterpret_cast<const char*>(payload.begin()), payload.size());
    to.entries.push_back(std::move(entry));
  }
  return to;
}

std::optional<raft::Refusal> read(schema::Refusal::Reader from) {
  const auto reason = static_cast<raft::RefusalReason>(from.getReason());
  if (reason != raft::RefusalReason::kRolledBack &&
      reason != raft::RefusalReason::kUnknownIncarnation) {
    return {};
  }
  return raft::Refusal{reason, get(from.getRemembered())};
}

/// nullopt: a body that this version does not know.
std::optional<raft::MessageBody> read(schema::Body::Reader from) {
  const auto known = [](auto&& body) -> std::optional<raft::MessageBody> {
    if (!body) return {};
    return raft::MessageBody(std::move(*body));
  };
  switch (from.which()) {
    case schema::Body::REQUEST_VOTE: {
      const auto in = from.getRequestVote();
      return raft::RequestVote{in.getPreVote(), in.getTransfer(), base::Index(in.getLastIndex()),
                               base::Term(in.getLastTerm())};
    }
    case schema::Body::REQUEST_VOTE_REPLY: {
      const auto in = from.getRequestVoteReply();
      return raft::RequestVoteReply{in.getPreVote(), in.getGranted()};
    }
    case schema::Body::APPEND_ENTRIES:
      return known(read(from.getAppendEntries()));
    case schema::Body::APPEND_ENTRIES_REPLY: {
      const auto in = from.getAppendEntriesReply();
      return raft::AppendEntriesReply{in.getSuccess(), base::Index(in.getMatch()),
                                      base::Index(in.getHint()), in.getDiverged(),
                                      get(in.getProgress())};
    }
    case schema::Body::HEARTBEAT: {
      const auto in = from.getHeartbeat();
      return raft::Heartbeat{base::Index(in.getCommit()), get(in.getRound()),
                             base::Index(in.getCutFloor()), get(in.getProgress())};
    }
    case schema::Body::HEARTBEAT_REPLY: {
      const auto in = from.getHeartbeatReply();
      return raft::HeartbeatReply{get(in.getRound()), in.getSupports(), get(in.getProgress())};
    }
    case schema::Body::TIMEOUT_NOW:
      return raft::TimeoutNow{};
    case schema::Body::REFUSAL:
      return known(read(from.getRefusal()));
  }
  return {};
}

/// The words of a body, where they lie or, if that is no place for words, copied.
struct BodyWords {
  explicit BodyWords(capnp::Data::Reader bytes) {
    const std::size_t count = bytes.size() / sizeof(capnp::word);
    if (reinterpret_cast<std::uintptr_t>(bytes.begin()) % alignof(capnp::word) == 0) {
      words = {reinterpret_cast<const capnp::word*>(bytes.begin()), count};
      return;
    }
    copy = kj::heapArray<capnp::word>(count);
    std::memcpy(copy.begin(), bytes.begin(), copy.size() * sizeof(capnp::word));
    words = copy;
  }
  kj::Array<capnp::word> copy;
  kj::ArrayPtr<const capnp::word> words;
};

std::optional<raft::MessageBody> read_body(capnp::Data::Reader bytes) {
  if (bytes.size() % sizeof(capnp::word) != 0) return {};
  const BodyWords body(bytes);
  capnp::ReaderOptions options;
  // Everything is read once. More would let small messages claim to be large.
  options.traversalLimitInWords = body.words.size();
  capnp::FlatArrayMessageReader reader(body.words, options);
  return read(reader.getRoot<schema::Body>());
}

base::Result<raft::Message> decode_checked(schema::Envelope::Reader from, base::ClusterId cluster,
                                           base::MemberId self) {
  if (checksum(from) != from.getChecksum()) {
    return Status(Code::kCorrupt, "a peer's message fails its checksum");
  }
  if (from.getCluster() != cluster.value) {
    return Status(Code::kWrongCluster, "a message of cluster " + base::to_hex(from.getCluster()));
  }
  if (from.getTo() != self.value || from.getFrom() == self.value || from.getFrom() == 0) {
    return Status(Code::kWrongMember, "a message from " + base::to_hex(from.getFrom()) + " to " +
                                          base::to_hex(from.getTo()));
  }
  auto body = read_body(from.getBody());
  if (!body) return Status(Code::kCorrupt, "a peer's message has an unknown body");
  raft::Message message;
  message.from = base::MemberId(from.getFrom());
  message.to = self;
  message.incarnation = base::Incarnation(from.getIncarnation());
  message.opening = get(from.getOpening());
  message.to_opening = get(from.getToOpening());
  message.durable = get(from.getDurable());
  message.recovered = get(from.getRecovered());
  message.term = base::Term(from.getTerm());
  message.body = std::move(*body);
  return message;
}

}  // namespace

std::uint64_t checksum(schema::Envelope::Reader envelope) {
  const auto body = envelope.getBody();
  return base::Hasher()
      .add(envelope.getCluster())
      .add(envelope.getFrom())
      .add(envelope.getTo())
      .add(envelope.getIncarnation())
      .add(envelope.getOpening().getEpoch())
      .add(envelope.getOpening().getNonce())
      .add(envelope.getToOpening().getEpoch())
      .add(envelope.getToOpening().getNonce())
      .add(envelope.getDurable().getEpoch())
      .add(envelope.getDurable().getCounter())
      .add(envelope.getRecovered().getEpoch())
      .add(envelope.getRecovered().getCounter())
      .add(envelope.getLane())
      .add(envelope.getTerm())
      .add(std::string_view(reinterpret_cast<const char*>(body.begin()), body.size()))
      .value();
}

std::size_t envelope_bytes(const raft::Message& message) {
  constexpr std::size_t kEnvelopeWords = 64;  // with what a call adds to it
  return (kEnvelopeWords + body_words(message.body)) * sizeof(capnp::word);
}

void encode(const raft::Message& message, base::ClusterId cluster, schema::Envelope::Builder to) {
  to.setCluster(cluster.value);
  to.setFrom(message.from.value);
  to.setTo(message.to.value);
  to.setIncarnation(message.incarnation.value);
  put(message.opening, to.initOpening());
  put(message.to_opening, to.initToOpening());
  put(message.durable, to.initDurable());
  put(message.recovered, to.initRecovered());
  to.setLane(static_cast<std::uint8_t>(raft::lane_of(message)));
  to.setTerm(message.term.value);
  write_body(message.body, to);
  to.setChecksum(checksum(to.asReader()));
}

base::Result<raft::Message> decode(schema::Envelope::Reader from, base::ClusterId cluster,
                                   base::MemberId self) {
  try {
    return decode_checked(from, cluster, self);
  } catch (const kj::Exception& exception) {
    return Status(Code::kCorrupt, std::string("a malformed message of a peer: ") +
                                      exception.getDescription().cStr());
  }
}

}  // namespace net::peer
