// Between client.capnp and the plain types of client/outcome.h. Any thread.
#pragma once

#include "client/outcome.h"
#include "schema/client.capnp.h"

namespace client {

std::string text(capnp::Text::Reader from);
Header from_wire(schema::Header::Reader from);
MemberStatus from_wire(schema::MemberStatus::Reader from);
std::vector<Fault> from_wire(capnp::List<schema::Fault>::Reader from);
/// The status and, if it is ok, the result. A result that cannot be read gives kProtocol.
Outcome from_wire(schema::Outcome::Reader from);

}  // namespace client
