#include "server/observer_codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "schema/peer.capnp.h"

namespace server {
namespace {

using base::Code;
using base::Status;

constexpr std::int64_t kMostOffMs = std::int64_t{1} << 48;

template <class T>
T bounded(double value) {
  const auto most = static_cast<double>(std::numeric_limits<T>::max());
  return static_cast<T>(std::clamp(value, 0.0, most));
}

void write_link(const health::LinkView& link, const SentRow& sent,
                schema::ObservedPeer::Builder to) {
  to.setMember(link.peer.value);
  to.setSilentMs(link.silent_ms);
  to.setPhiTenths(bounded<std::uint16_t>(link.phi * 10));
  to.setRoundTripUs(link.round_trip_ms ? bounded<std::uint32_t>(*link.round_trip_ms * 1000) : 0);
  to.setAppendAgeMs(link.append_age_ms);
  const auto echo = std::find_if(sent.echoes.begin(), sent.echoes.end(),
                                 [&](const Echo& each) { return each.peer == link.peer; });
  if (echo == sent.echoes.end()) return;
  to.setEchoUs(echo->echo_us);
  to.setHeldUs(bounded<std::uint32_t>(static_cast<double>(echo->held_us)));
}

void write_row(const SentRow& sent, schema::ObserverRow::Builder to) {
  const health::Row& row = sent.row;
  to.setObserver(row.observer.value);
  to.setEpoch(row.epoch);
  to.setSequence(row.sequence);
  to.setAgeMs(sent.age_ms);
  to.setSentUs(sent.sent_us);
  to.setSpeed(static_cast<std::uint8_t>(row.speed));
  to.setScore(bounded<std::uint8_t>(row.score));
  to.setSyncUs(row.sync_ms ? bounded<std::uint32_t>(*row.sync_ms * 1000) : 0);
  to.setStalled(row.stalled);
  to.setStarved(row.starved);
  to.setLeads(row.leads);
  to.setFull(row.full);
  to.setUnserved(row.unserved.substr(0, kMostReasonBytes));
  to.setWallUs(sent.wall_us);
  to.setClock(static_cast<std::uint8_t>(row.clock));
  to.setClockForMs(row.clock_for_ms);
  to.setClockOffMs(row.clock_off_ms);
  to.setReason(row.reason.substr(0, kMostReasonBytes));
  to.setScrubIndex(row.scrub_index);
  auto scrub = to.initScrub(static_cast<unsigned>(row.scrub.size()));
  for (unsigned i = 0; i < scrub.size(); ++i) scrub.set(i, row.scrub[i]);
  auto moves = to.initMovesMs(static_cast<unsigned>(row.moves_ms.size()));
  for (unsigned i = 0; i < moves.size(); ++i) moves.set(i, row.moves_ms[i]);
  auto peers = to.initPeers(static_cast<unsigned>(row.links.size()));
  for (unsigned i = 0; i < peers.size(); ++i) write_link(row.links[i], sent, peers[i]);
}

/// An echo of zero is none.
void read_link(schema::ObservedPeer::Reader from, SentRow& to) {
  health::LinkView link;
  link.peer = base::MemberId(from.getMember());
  link.silent_ms = from.getSilentMs();
  link.phi = from.getPhiTenths() / 10.0;
  if (from.getRoundTripUs() != 0) link.round_trip_ms = from.getRoundTripUs() / 1000.0;
  link.append_age_ms = from.getAppendAgeMs();
  if (from.getEchoUs() != 0) to.echoes.push_back({link.peer, from.getEchoUs(), from.getHeldUs()});
  to.row.links.push_back(link);
}

base::Result<SentRow> read_row(schema::ObserverRow::Reader from) {
  SentRow sent;
  health::Row& row = sent.row;
  if (from.getSpeed() > static_cast<std::uint8_t>(health::SpeedClass::kSlow) ||
      from.getClock() > static_cast<std::uint8_t>(health::ClockState::kFar) ||
      from.getPeers().size() > kMostLinks || from.getMovesMs().size() > kMostLinks ||
      from.getScrub().size() > kMostScrubRanges || from.getReason().size() > kMostReasonBytes ||
      from.getUnserved().size() > kMostReasonBytes) {
    return Status(Code::kCorrupt, "a row of an observer is out of bounds");
  }
  row.observer = base::MemberId(from.getObserver());
  row.epoch = from.getEpoch();
  row.sequence = from.getSequence();
  sent.age_ms = from.getAgeMs();
  sent.sent_us = from.getSentUs();
  row.speed = static_cast<health::SpeedClass>(from.getSpeed());
  row.score = from.getScore();
  if (from.getSyncUs() != 0) row.sync_ms = from.getSyncUs() / 1000.0;
  row.stalled = from.getStalled();
  row.starved = from.getStarved();
  row.leads = from.getLeads();
  row.full = from.getFull();
  row.unserved = from.getUnserved().cStr();
  sent.wall_us = from.getWallUs();
  row.clock = static_cast<health::ClockState>(from.getClock());
  row.clock_for_ms = from.getClockForMs();
  row.clock_off_ms = std::clamp<std::int64_t>(from.getClockOffMs(), -kMostOffMs, kMostOffMs);
  row.reason = from.getReason().cStr();
  row.scrub_index = from.getScrubIndex();
  for (const std::uint64_t digest : from.getScrub()) row.scrub.push_back(digest);
  for (const std::uint32_t age_ms : from.getMovesMs()) row.moves_ms.push_back(age_ms);
  for (const auto peer : from.getPeers()) read_link(peer, sent);
  return sent;
}

}  // namespace

std::string encode_rows(const std::vector<SentRow>& rows) {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::ObserverRows>().initRows(static_cast<unsigned>(rows.size()));
  for (unsigned i = 0; i < list.size(); ++i) write_row(rows[i], list[i]);
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asChars();
  return {bytes.begin(), bytes.size()};
}

base::Result<std::vector<SentRow>> decode_rows(const std::string& bytes) {
  constexpr std::uint64_t kWordsMost = 64 << 10;
  const Status malformed(Code::kCorrupt, "what an observer has sent is malformed");
  if (bytes.size() % sizeof(capnp::word) != 0) return malformed;
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  if (!bytes.empty()) std::memcpy(words.begin(), bytes.data(), bytes.size());
  try {
    capnp::FlatArrayMessageReader reader(words, capnp::ReaderOptions{kWordsMost, 16});
    const auto list = reader.getRoot<schema::ObserverRows>().getRows();
    if (list.size() > kMostRows) return malformed;
    std::vector<SentRow> rows;
    for (const auto each : list) {
      auto row = read_row(each);
      if (!row) return row.status();
      rows.push_back(std::move(row).value());
    }
    return rows;
  } catch (const kj::Exception&) {
    return malformed;
  }
}

}  // namespace server
