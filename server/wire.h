// Answers and status to schema/client.capnp. Door thread.
#pragma once

#include <string>
#include <vector>

#include "schema/client.capnp.h"
#include "server/node_view.h"
#include "server/ports.h"

namespace server {

/// Writes everything but the result of a transaction that would make the message larger than
/// `room_bytes`; returns how many bytes of result were written. Such a read answers kTooLarge; such
/// a write keeps its code, since it took effect, and its detail says that the result was left out.
std::size_t write_outcome(const RequestOutcome& outcome, const NodeView& view,
                          std::size_t room_bytes, schema::Outcome::Builder to);
void write_header(const Header& header, schema::Header::Builder to);
void write_status(const NodeView& view, const std::string& http_address,
                  schema::MemberStatus::Builder to);
/// The other members of the configuration, for faults of links.
FaultPeers fault_peers(const NodeView& view);
void write_faults(const std::vector<FaultState>& faults, capnp::List<schema::Fault>::Builder to);
/// Empty: not known.
std::string client_address_of(const NodeView& view, base::MemberId member);
/// The header of an answer that the door gives by itself.
Header header_of(const NodeView& view);
/// The same of a state that stands at `position`.
Header header_of(const NodeView& view, const kv::Position& position);

/// What a client has seen, whatever it says.
Seen from_wire(schema::Seen::Reader from);

}  // namespace server
