// raft::Message to schema/peer.capnp and back, with the envelope's checksum. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "raft/message.h"
#include "schema/peer.capnp.h"

namespace net::peer {

/// At least what the message occupies as an envelope on the wire, in bytes.
std::size_t envelope_bytes(const raft::Message& message);

/// The body is built in place: payloads are copied once.
void encode(const raft::Message& message, base::ClusterId cluster, schema::Envelope::Builder to);

/// What an envelope's checksum must be: XXH3-64 over its other fields and the body's bytes.
std::uint64_t checksum(schema::Envelope::Reader envelope);

/// What the checksum of a Peer.observe must be: XXH3-64 over the rows' bytes.
std::uint64_t rows_checksum(std::string_view rows);

/// Any envelope is safe to give. Errors: kWrongCluster, kWrongMember (not for `self`), kCorrupt
/// (the checksum, an unknown kind, a malformed body).
base::Result<raft::Message> decode(schema::Envelope::Reader from, base::ClusterId cluster,
                                   base::MemberId self);

}  // namespace net::peer
