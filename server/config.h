// What holdfastd is told by flags and environment: flag over environment over default.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "net/connection.h"
#include "raft/core.h"
#include "server/log_sink.h"

namespace server {

/// A member of the initial cluster.
struct MemberConfig {
  std::string name;
  base::MemberId id;
  net::Address peer;
  std::string client_address;  // a hint for clients; may be empty
};

/// Invariants: members holds `name`; names and ids are distinct; every number is within its bounds.
struct Config {
  std::string name;
  std::string data_dir;
  std::string cluster_token;
  base::ClusterId cluster;
  base::MemberId self;
  bool join = false;  // an existing cluster adds this member: no first configuration of its own
  std::vector<MemberConfig> members;
  net::Address listen_client{"127.0.0.1", 7400};
  net::Address listen_peer{"127.0.0.1", 7401};
  net::Address listen_http{"127.0.0.1", 7402};
  LogFormat log_format = LogFormat::kConsole;
  LogLevel log_level = LogLevel::kInfo;
  bool allow_faults = false;
  bool stall_reactions = true;   // false only with allow_faults: a stalled leader stays
  std::uint32_t time_scale = 1;  // 1 … 100
  std::uint64_t log_bytes_max = 64 << 20;
  std::uint32_t scrub_ms = 3'600'000;  // 1,000 … 2,000,000,000; 0: no scrubs
  std::uint32_t probe_ms = 1000;       // 100 … 3,600,000; 0: no probes
  std::uint32_t heartbeat_ms = 50;     // 10 … 10,000
  std::uint32_t election_ms = 300;     // at least four heartbeats, at most 60,000

  const MemberConfig* find(base::MemberId id) const;
  std::uint32_t tick_ms() const { return 10 * time_scale; }
};

/// The ids that a token and a name stand for; never zero.
base::ClusterId cluster_id_of(const std::string& token);
base::MemberId member_id_of(const std::string& token, const std::string& name);

/// "n1=127.0.0.1:7401@127.0.0.1:7400,n2=HOST:PEERPORT" to members. Errors: kInvalidArgument.
base::Result<std::vector<MemberConfig>> parse_members(const std::string& text,
                                                      const std::string& token);

/// The first configuration of a cluster: all vote, and nobody's data directory is known yet.
raft::Configuration initial_configuration(const std::vector<MemberConfig>& members);

/// "data-dir" to "HOLDFAST_DATA_DIR".
std::string environment_name(std::string flag);

/// How a command line ends: a configuration, or a text and an exit code (--help, --version,
/// errors).
struct CommandLine {
  std::optional<Config> config;
  std::string text;   // for stdout if exit_code is 0, else for stderr
  int exit_code = 0;  // 0 or 2
};

/// `getenv`: the value of an environment variable, null if there is none.
CommandLine parse_command_line(int argc, const char* const* argv,
                               const std::function<const char*(const char*)>& getenv);

/// The core's options that follow from the configuration; ticks are tick_ms() long.
raft::Options core_options(const Config& config, base::Opening opening,
                           base::Incarnation incarnation);

}  // namespace server
