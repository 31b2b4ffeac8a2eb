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

std::string bytes_of(capnp::Data::Reader from) {
  return {reinterpret_cast<const char*>(from.begin()), from.size()};
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
  to.setNeedsSnapshot(from.needs_snapshot);
  to.setSlow(from.slow);
}
raft::ProgressReport get(schema::ProgressReport::Reader from) {
  return {base::Index(from.getLast()),
          base::Index(from.getDurable()),
          base::Index(from.getCommit()),
          base::Index(from.getApplied()),
          from.getLogPendingTicks(),
          from.getApplyPendingTicks(),
          from.getStalled(),
          from.getQuarantined(),
          from.getNeedsSnapshot(),
          from.getSlow()};
}

void put(const std::vector<raft::EntryPtr>& from, capnp::List<schema::Entry>::Builder to) {
  for (kj::uint i = 0; i < to.size(); ++i) {
    const raft::Entry& entry = *from[i];
    auto out = to[i];
    out.setTerm(entry.term.value);
    out.setIndex(entry.index.value);
    out.setKind(static_cast<std::uint8_t>(entry.kind));
    out.setTime(entry.time.value);
    out.setHash(entry.hash.value);
    out.setPayload(data(entry.payload));
  }
}
/// nullopt unless they are of known kinds and follow `previous` without a gap, which also keeps a
/// list of empty structs, which costs its sender nothing, from becoming entries.
std::optional<std::vector<raft::EntryPtr>> get(capnp::List<schema::Entry>::Reader from,
                                               std::uint64_t previous) {
  std::vector<raft::EntryPtr> to;
  to.reserve(from.size());
  for (auto in : from) {
    if (in.getKind() > static_cast<std::uint8_t>(raft::EntryKind::kConfiguration)) return {};
    if (in.getIndex() != previous + 1 + to.size()) return {};
    auto entry = std::make_shared<raft::Entry>();
    entry->term = base::Term(in.getTerm());
    entry->index = base::Index(in.getIndex());
    entry->kind = static_cast<raft::EntryKind>(in.getKind());
    entry->time = base::HybridTime(in.getTime());
    entry->hash = base::ChainHash{in.getHash()};
    entry->payload = bytes_of(in.getPayload());
    to.push_back(std::move(entry));
  }
  return to;
}

void put(const raft::SnapshotMeta& from, schema::SnapshotMeta::Builder to) {
  to.setIndex(from.index.value);
  to.setTerm(from.term.value);
  to.setHash(from.hash.value);
  to.setTime(from.time.value);
  to.setConfiguration(data(from.configuration));
}
raft::SnapshotMeta get(schema::SnapshotMeta::Reader from) {
  return {base::Index(from.getIndex()), base::Term(from.getTerm()), base::ChainHash{from.getHash()},
          base::HybridTime(from.getTime()), bytes_of(from.getConfiguration())};
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
    to.setQuarantined(from.quarantined);
  }
  void operator()(const raft::RequestVoteReply& from) {
    auto to = body.initRequestVoteReply();
    to.setPreVote(from.pre_vote);
    to.setGranted(from.granted);
    to.setLastIndex(from.last_index.value);
    to.setLastTerm(from.last_term.value);
  }
  void operator()(const raft::AppendEntries& from) {
    auto to = body.initAppendEntries();
    to.setPreviousIndex(from.previous_index.value);
    to.setPreviousTerm(from.previous_term.value);
    to.setPreviousHash(from.previous_hash.value);
    to.setCommit(from.commit.value);
    to.setCutFloor(from.cut_floor.value);
    put(from.entries, to.initEntries(static_cast<kj::uint>(from.entries.size())));
  }
  void operator()(const raft::AppendEntriesReply& from) {
    auto to = body.initAppendEntriesReply();
    to.setSuccess(from.success);
    to.setMatch(from.match.value);
    to.setHint(from.hint.value);
    to.setDiverged(from.diverged);
    to.setClock(from.clock);
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
  void operator()(const raft::InstallSnapshot& from) {
    auto to = body.initInstallSnapshot();
    to.setTransfer(from.transfer);
    put(from.snapshot, to.initSnapshot());
    to.setChunk(from.chunk);
    to.setData(data(*from.data));
    to.setDone(from.done);
  }
  void operator()(const raft::InstallSnapshotReply& from) {
    auto to = body.initInstallSnapshotReply();
    to.setTransfer(from.transfer);
    to.setIndex(from.index.value);
    to.setNextChunk(from.next_chunk);
    to.setInstalled(from.installed);
    put(from.progress, to.initProgress());
  }
  void operator()(const raft::Pull& from) {
    auto to = body.initPull();
    to.setPreviousIndex(from.previous_index.value);
    to.setPreviousTerm(from.previous_term.value);
    to.setPreviousHash(from.previous_hash.value);
  }
  void operator()(const raft::PullReply& from) {
    auto to = body.initPullReply();
    to.setAgrees(from.agrees);
    to.setPreviousIndex(from.previous_index.value);
    to.setHint(from.hint.value);
    put(from.entries, to.initEntries(static_cast<kj::uint>(from.entries.size())));
    to.setLastIndex(from.last_index.value);
    to.setLastTerm(from.last_term.value);
  }
  void operator()(const raft::ReadIndexRequest& from) { body.initReadIndex().setId(from.id); }
  void operator()(const raft::WantTime& from) { body.setWantTime(from.time.value); }
  void operator()(const raft::ReadIndexReply& from) {
    auto to = body.initReadIndexReply();
    to.setId(from.id);
    to.setCode(static_cast<std::uint16_t>(from.code));
    to.setIndex(from.index.value);
  }
};

std::size_t entries_words(const std::vector<raft::EntryPtr>& entries) {
  std::size_t words = 0;
  for (const auto& entry : entries) {
    words += capnp::sizeInWords<schema::Entry>() + (entry->payload.size() + 7) / 8;
  }
  return words;
}

/// What a body occupies at most, without its table.
std::size_t body_words(const raft::MessageBody& body) {
  constexpr std::size_t kFixedWords = 64;  // every message, but for its entries and bytes
  if (const auto* append = std::get_if<raft::AppendEntries>(&body)) {
    return kFixedWords + entries_words(append->entries);
  }
  if (const auto* pulled = std::get_if<raft::PullReply>(&body)) {
    return kFixedWords + entries_words(pulled->entries);
  }
  if (const auto* install = std::get_if<raft::InstallSnapshot>(&body)) {
    return kFixedWords + (install->data->size() + 7) / 8 +
           (install->snapshot.configuration.size() + 7) / 8;
  }
  return kFixedWords;
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
  auto entries = get(from.getEntries(), from.getPreviousIndex());
  if (!entries) return {};
  to.entries = std::move(*entries);
  return to;
}

std::optional<raft::PullReply> read(schema::PullReply::Reader from) {
  auto entries = get(from.getEntries(), from.getPreviousIndex());
  if (!entries) return {};
  return raft::PullReply{
      from.getAgrees(),    base::Index(from.getPreviousIndex()), base::Index(from.getHint()),
      std::move(*entries), base::Index(from.getLastIndex()),     base::Term(from.getLastTerm())};
}

std::optional<raft::ReadIndexReply> read(schema::ReadIndexReply::Reader from) {
  if (from.getCode() > static_cast<std::uint16_t>(base::Code::kInternal)) return {};
  return raft::ReadIndexReply{from.getId(), static_cast<base::Code>(from.getCode()),
                              base::Index(from.getIndex())};
}

std::optional<raft::Refusal> read(schema::Refusal::Reader from) {
  const auto reason = static_cast<raft::RefusalReason>(from.getReason());
  if (reason != raft::RefusalReason::kRolledBack &&
      reason != raft::RefusalReason::kUnknownIncarnation &&
      reason != raft::RefusalReason::kNoMember) {
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
                               base::Term(in.getLastTerm()), in.getQuarantined()};
    }
    case schema::Body::REQUEST_VOTE_REPLY: {
      const auto in = from.getRequestVoteReply();
      return raft::RequestVoteReply{in.getPreVote(), in.getGranted(),
                                    base::Index(in.getLastIndex()), base::Term(in.getLastTerm())};
    }
    case schema::Body::APPEND_ENTRIES:
      return known(read(from.getAppendEntries()));
    case schema::Body::APPEND_ENTRIES_REPLY: {
      const auto in = from.getAppendEntriesReply();
      return raft::AppendEntriesReply{
          in.getSuccess(), base::Index(in.getMatch()), base::Index(in.getHint()), in.getDiverged(),
          in.getClock(),   get(in.getProgress())};
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
    case schema::Body::INSTALL_SNAPSHOT: {
      const auto in = from.getInstallSnapshot();
      return raft::InstallSnapshot{in.getTransfer(), get(in.getSnapshot()), in.getChunk(),
                                   std::make_shared<const std::string>(bytes_of(in.getData())),
                                   in.getDone()};
    }
    case schema::Body::INSTALL_SNAPSHOT_REPLY: {
      const auto in = from.getInstallSnapshotReply();
      return raft::InstallSnapshotReply{in.getTransfer(), base::Index(in.getIndex()),
                                        in.getNextChunk(), in.getInstalled(),
                                        get(in.getProgress())};
    }
    case schema::Body::PULL: {
      const auto in = from.getPull();
      return raft::Pull{base::Index(in.getPreviousIndex()), base::Term(in.getPreviousTerm()),
                        base::ChainHash{in.getPreviousHash()}};
    }
    case schema::Body::PULL_REPLY:
      return known(read(from.getPullReply()));
    case schema::Body::READ_INDEX:
      return raft::ReadIndexRequest{from.getReadIndex().getId()};
    case schema::Body::READ_INDEX_REPLY:
      return known(read(from.getReadIndexReply()));
    case schema::Body::WANT_TIME:
      return raft::WantTime{base::HybridTime(from.getWantTime())};
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
  if (from.getGeneration() > 0) message.generation = from.getGeneration() - 1;
  message.body = std::move(*body);
  return message;
}

}  // namespace

std::uint64_t rows_checksum(std::string_view rows) {
  return base::hash64(rows);
}

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
      .add(envelope.getGeneration())
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
  to.setGeneration(message.generation ? *message.generation + 1 : 0);
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
