#include "client/wire.h"

#include "schema/codec.h"

namespace client {

std::string text(capnp::Text::Reader from) {
  return std::string(from.begin(), from.size());
}

namespace {

PeerStatus peer_from_wire(schema::PeerStatus::Reader from) {
  PeerStatus peer;
  peer.member = base::MemberId(from.getMember());
  peer.name = text(from.getName());
  peer.link_up = from.getLinkUp();
  peer.match = base::Index(from.getMatch());
  peer.silent_ms = from.getSilentMs();
  peer.stalled = from.getStalled();
  peer.quarantined = from.getQuarantined();
  peer.client_address = text(from.getClientAddress());
  return peer;
}

}  // namespace

Header from_wire(schema::Header::Reader from) {
  Header header;
  header.cluster = base::ClusterId(from.getCluster());
  header.generation = from.getGeneration();
  header.member = base::MemberId(from.getMember());
  header.revision = base::Revision(from.getRevision());
  header.term = base::Term(from.getTerm());
  header.time = base::HybridTime(from.getTime());
  header.applied = base::Index(from.getApplied());
  header.hash = base::ChainHash{from.getHash()};
  return header;
}

std::vector<Fault> from_wire(capnp::List<schema::Fault>::Reader from) {
  std::vector<Fault> faults;
  for (auto fault : from) {
    faults.push_back({text(fault.getName()), fault.getOn(), fault.getHits(),
                      text(fault.getParameter()), fault.getLeftMs(), text(fault.getWhat())});
  }
  return faults;
}

MemberStatus from_wire(schema::MemberStatus::Reader from) {
  MemberStatus to;
  to.header = from_wire(from.getHeader());
  to.name = text(from.getName());
  to.role = text(from.getRole());
  to.leader = base::MemberId(from.getLeader());
  to.leader_name = text(from.getLeaderName());
  to.first = base::Index(from.getFirst());
  to.last = base::Index(from.getLast());
  to.durable = base::Index(from.getDurable());
  to.commit = base::Index(from.getCommit());
  to.ready = from.getReady();
  to.stalled = from.getStalled();
  to.quarantined = from.getQuarantined();
  to.reason = text(from.getReason());
  to.step_down_reason = text(from.getStepDownReason());
  to.leader_changes = from.getLeaderChanges();
  to.log_syncs = from.getLogSyncs();
  to.log_bytes = from.getLogBytes();
  to.unready_for_ms = from.getUnreadyForMs();
  to.applied_entries = from.getAppliedEntries();
  to.sessions = from.getSessions();
  to.digest = from.getDigest();
  to.compacted = base::Revision(from.getCompacted());
  to.retention = {from.getKeepRevisions(), from.getKeepAgeMs()};
  to.version = text(from.getVersion());
  to.http_address = text(from.getHttpAddress());
  for (auto peer : from.getPeers()) to.peers.push_back(peer_from_wire(peer));
  to.faults = from_wire(from.getFaults());
  return to;
}

Outcome from_wire(schema::Outcome::Reader from) {
  Outcome outcome;
  outcome.header = from_wire(from.getHeader());
  outcome.repeated = from.getRepeated();
  for (auto member : from.getMembers()) {
    outcome.members.push_back({base::MemberId(member.getId()),
                               base::Incarnation(member.getIncarnation()), text(member.getName()),
                               text(member.getPeerAddress()), text(member.getClientAddress()),
                               member.getVoter(), member.getOutgoing(), member.getPromote()});
  }
  const auto code = static_cast<base::Code>(from.getCode());
  if (code != base::Code::kOk) {
    outcome.status = base::Status(code, text(from.getDetail()));
    return outcome;
  }
  auto result = schema::read(from.getResult());
  if (result.is_ok())
    outcome.result = std::move(result).value();
  else
    outcome.status = base::Status(base::Code::kProtocol, result.status().detail());
  return outcome;
}

}  // namespace client
