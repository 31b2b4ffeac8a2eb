// What is done to a data directory by hand, in words that stay with it (the file AUDIT).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kv/state_machine.h"

namespace server {

/// Name and value, a line each.
using AuditFields = std::vector<std::pair<std::string, std::string>>;

/// "2026-11-25T12:00:00Z restore", then the fields, who ran this process first. Line ends in values
/// are replaced. Reads the wall clock and the user.
std::string audit_record(const std::string& act, const AuditFields& fields);

/// "generation 1, term 7, index 42, revision 30".
std::string describe(const kv::Position& position);
/// UTC, to the second.
std::string describe_time(std::uint64_t ms_since_1970);

}  // namespace server
