#include "server/wire.h"

#include <algorithm>
#include <vector>

#include "schema/codec.h"
#include "server/clock.h"

namespace server {
namespace {

std::size_t bytes_of(const kv::KeyValue& item) {
  return item.key.size() + item.value.size() + 80;
}

std::size_t bytes_of(const kv::TransactionResult& result) {
  std::size_t bytes = 64;
  for (const auto& part : result.results) {
    bytes += 64;
    if (const auto* range = std::get_if<kv::RangeResult>(&part)) {
      for (const auto& item : range->items) bytes += bytes_of(item);
    } else if (const auto* put = std::get_if<kv::PutResult>(&part)) {
      if (put->previous) bytes += bytes_of(*put->previous);
    } else if (const auto* erase = std::get_if<kv::DeleteResult>(&part)) {
      for (const auto& item : erase->previous) bytes += bytes_of(item);
    } else if (const auto* history = std::get_if<kv::HistoryResult>(&part)) {
      for (const auto& event : history->events) bytes += bytes_of(event.item);
    }
  }
  return bytes;
}

void write_failure(base::Code code, const std::string& detail, schema::Outcome::Builder to) {
  to.setCode(static_cast<std::uint16_t>(code));
  to.setDetail(detail);
}

void write_peer(const raft::PeerStatus& peer, const NodeView& view,
                schema::PeerStatus::Builder to) {
  const KnownMember member = known_member(view, peer.id);
  to.setMember(peer.id.value);
  to.setName(member.name);
  to.setLinkUp(peer.link_up);
  to.setMatch(peer.match.value);
  to.setSilentMs(std::uint64_t{peer.silent_ticks} * view.readiness.tick_ms);
  to.setStalled(peer.progress.stalled);
  to.setQuarantined(peer.progress.quarantined);
  to.setClientAddress(member.client_address);
}

void write_core(const raft::CoreStatus& core, const NodeView& view,
                schema::MemberStatus::Builder to) {
  to.setLeader(core.leader.value);
  to.setLeaderName(known_member(view, core.leader).name);
  to.setFirst(core.first.value);
  to.setLast(core.last.value);
  to.setDurable(core.durable.value);
  to.setCommit(core.commit.value);
  to.setStalled(core.stalled);
  to.setQuarantined(core.quarantined);
  to.setStepDownReason(core.step_down_reason);
  to.setLeaderChanges(core.leader_changes);
}

void write_member(const raft::Member& member, const NodeView& view, schema::Member::Builder to) {
  const MemberConfig* flags = view.config->find(member.id);
  to.setId(member.id.value);
  to.setIncarnation(member.incarnation.value);
  to.setName(member.name.empty() ? known_member(view, member.id).name : member.name);
  const bool told = !member.peer_address.empty();
  to.setPeerAddress(told || flags == nullptr ? member.peer_address : flags->peer.to_string());
  to.setClientAddress(told || flags == nullptr ? member.client_address : flags->client_address);
  to.setPromote(member.promote);
}

void write_members(const raft::Configuration& configuration, const NodeView& view,
                   schema::Outcome::Builder to) {
  const auto ids = configuration.ids();
  auto members = to.initMembers(static_cast<unsigned>(ids.size()));
  for (unsigned i = 0; i < members.size(); ++i) {
    const auto among = [&](const std::vector<raft::Member>& list) {
      return std::any_of(list.begin(), list.end(),
                         [&](const raft::Member& each) { return each.id == ids[i]; });
    };
    write_member(*configuration.find(ids[i]), view, members[i]);
    members[i].setVoter(among(configuration.voters));
    members[i].setOutgoing(among(configuration.outgoing));
  }
}

}  // namespace

KnownMember known_member(const NodeView& view, base::MemberId id) {
  if (!id) return {};
  const auto status = view.board->read();
  const MemberConfig* flags = view.config->find(id);
  const raft::Member* member = status->replica.core.configuration.find(id);
  if (member != nullptr && !member->name.empty()) return {member->name, member->client_address};
  if (flags != nullptr) return {flags->name, flags->client_address};
  return {base::to_hex(id.value), ""};
}

std::size_t write_outcome(const RequestOutcome& outcome, const NodeView& view,
                          std::size_t room_bytes, schema::Outcome::Builder to) {
  write_header(outcome.header, to.initHeader());
  to.setLeader(outcome.leader.value);
  to.setLeaderAddress(known_member(view, outcome.leader).client_address);
  if (outcome.members != nullptr) write_members(*outcome.members, view, to);
  if (!outcome.status.is_ok()) {
    write_failure(outcome.status.code(), outcome.status.detail(), to);
    return 0;
  }
  write_failure(outcome.reply.code, outcome.reply.detail, to);
  if (outcome.reply.code != base::Code::kOk) return 0;
  to.setSession(outcome.reply.session.value);
  to.setRepeated(outcome.reply.repeated);
  const kv::TransactionResult& result = outcome.is_read ? outcome.result : outcome.reply.result;
  const std::size_t bytes = bytes_of(result);
  if (bytes <= room_bytes) {
    schema::write(result, to.initResult());
    return bytes;
  }
  if (outcome.is_read) {
    write_failure(base::Code::kTooLarge, "the answers are too large together: ask for less", to);
    return 0;
  }
  auto without = to.initResult();
  without.setSucceeded(result.succeeded);
  without.setRevision(result.revision.value);
  to.setDetail("applied, but its results are too large to return");
  return 0;
}

void write_header(const Header& header, schema::Header::Builder to) {
  to.setCluster(header.cluster.value);
  to.setGeneration(header.generation);
  to.setMember(header.member.value);
  to.setRevision(header.revision.value);
  to.setTerm(header.term.value);
  to.setTime(header.time.value);
  to.setApplied(header.applied.value);
  to.setHash(header.hash.value);
}

std::string client_address_of(const NodeView& view, base::MemberId member) {
  return known_member(view, member).client_address;
}

Header header_of(const NodeView& view) {
  return header_of(view, view.board->read()->replica.position);
}

Header header_of(const NodeView& view, const kv::Position& position) {
  const auto status = view.board->read();
  return {.cluster = view.config->cluster,
          .generation = position.generation,
          .member = view.config->self,
          .revision = position.revision,
          .term = status->replica.core.term,
          .time = position.time,
          .applied = position.applied,
          .hash = position.hash};
}

FaultPeers fault_peers(const NodeView& view) {
  FaultPeers peers;
  for (const raft::PeerStatus& peer : view.board->read()->replica.core.peers) {
    peers.emplace_back(known_member(view, peer.id).name, peer.id);
  }
  peers.emplace_back("clients", net::kClients);
  return peers;
}

void write_faults(const std::vector<FaultState>& faults, capnp::List<schema::Fault>::Builder to) {
  for (unsigned i = 0; i < to.size(); ++i) {
    const FaultState& fault = faults[i];
    to[i].setName(std::string(fault.name));
    to[i].setOn(fault.on);
    to[i].setHits(fault.hits);
    to[i].setParameter(fault.parameter);
    to[i].setLeftMs(fault.left_ms == base::FaultSwitch::kForever ? 0 : fault.left_ms);
    to[i].setWhat(std::string(fault.what));
  }
}

void write_status(const NodeView& view, const std::string& http_address,
                  schema::MemberStatus::Builder to) {
  const auto status = view.board->read();
  const ReplicaStatus& replica = status->replica;
  const std::uint64_t loop_ms = view.stamps->loop.at_ms.load(std::memory_order_relaxed);
  const auto checks = checks_of(view);
  write_header(header_of(view), to.initHeader());
  write_core(replica.core, view, to);
  const std::string role(role_name(replica.core, loop_ms, boot_ms(), view.readiness));
  to.setRole(role);
  if (role == "stuck") to.setLeader(0);
  to.setName(view.config->name);
  to.setReady(all_ok(checks));
  to.setReason(first_reason(checks));
  const std::uint64_t since_ms = status->unready_since_ms;
  if (since_ms != 0) to.setUnreadyForMs(std::max<std::uint64_t>(1, boot_ms() - since_ms));
  to.setLogSyncs(view.log->syncs());
  to.setLogBytes(view.log->size_bytes());
  to.setSessions(view.sessions());
  to.setDigest(replica.position.digest);
  to.setCompacted(replica.position.compacted.value);
  to.setKeepRevisions(replica.position.retention.revisions);
  to.setKeepAgeMs(replica.position.retention.age_ms);
  to.setVersion(HOLDFAST_VERSION);
  to.setHttpAddress(http_address);
  to.setAppliedEntries(replica.applied_entries);
  auto peers = to.initPeers(static_cast<unsigned>(replica.core.peers.size()));
  for (unsigned i = 0; i < peers.size(); ++i) write_peer(replica.core.peers[i], view, peers[i]);
  if (view.config->allow_faults) {
    const auto faults = view.faults->list(fault_peers(view));
    write_faults(faults, to.initFaults(static_cast<unsigned>(faults.size())));
  }
}

Seen from_wire(schema::Seen::Reader from) {
  return {from.getGeneration(), base::Index(from.getApplied()), base::ChainHash{from.getHash()},
          base::HybridTime(from.getTime())};
}

}  // namespace server
