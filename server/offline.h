// The verbs of holdfastd that run no member: `snapshot status`, `snapshot restore`, `recover`.
// `holdfast` hands them over (client/ctl/server_program.h).
#pragma once

#include <functional>
#include <optional>

namespace server {

/// Does what the command line asks for and returns the exit code; nullopt: it names no such verb.
/// Data goes to stdout, everything else to stderr. `getenv`: as of parse_command_line.
std::optional<int> run_offline(int argc, const char* const* argv,
                               const std::function<const char*(const char*)>& getenv);

}  // namespace server
