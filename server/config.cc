// CLI11 splits the command line; names, environment, types and bounds are ours (its environment and
// exit codes do not follow our rules: shared reference ecosystem.md).
#include "server/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>

#include "base/hash.h"

namespace server {
namespace {

using base::Code;
using base::Result;
using base::Status;

/// Every option as text, before it is understood.
struct Texts {
  std::string name, data_dir, cluster_token, initial_cluster;
  std::string listen_client = "127.0.0.1:7400";
  std::string listen_peer = "127.0.0.1:7401";
  std::string listen_http = "127.0.0.1:7402";
  std::string log_format = "console";
  std::string log_level = "info";
  std::string allow_faults = "false";
  std::string stall_reactions = "true";
  std::string join = "false";
  std::string time_scale = "1";
  std::string log_bytes_max = std::to_string(64 << 20);
  std::string probe_ms = "1000";
  std::string scrub_ms = "3600000";
  std::string heartbeat_ms = "50";
  std::string election_ms = "300";
};

struct OptionRow {
  const char* name;  // without the two dashes
  std::string Texts::*text;
  const char* help;
};

constexpr OptionRow kOptions[] = {
    {"name", &Texts::name, "this member's name; required"},
    {"data-dir", &Texts::data_dir, "where its data lives; created if missing; required"},
    {"cluster-token", &Texts::cluster_token,
     "a secret-free random word that all members share and no other cluster has; required"},
    {"initial-cluster", &Texts::initial_cluster,
     "NAME=HOST:PEERPORT[@HOST:CLIENTPORT],… of every member; required"},
    {"listen-client", &Texts::listen_client, "HOST:PORT for clients"},
    {"listen-peer", &Texts::listen_peer, "HOST:PORT for the other members"},
    {"listen-http", &Texts::listen_http, "HOST:PORT for health and metrics"},
    {"log-format", &Texts::log_format, "console or json"},
    {"log-level", &Texts::log_level, "trace, debug, info, warn or error"},
    {"time-scale", &Texts::time_scale, "stretches every tick; for slow builds (1 to 100)"},
    {"log-bytes-max", &Texts::log_bytes_max,
     "above it the log is cut where every member has it; above four times\nas much everywhere, and "
     "whoever lacks it gets a snapshot"},
    {"scrub-ms", &Texts::scrub_ms, "between comparisons of all members' states; 0: none"},
    {"probe-ms", &Texts::probe_ms, "between probes of itself as a client; 0: none"},
    {"heartbeat-ms", &Texts::heartbeat_ms, "between heartbeats (10 to 10000)"},
    {"stall-reactions", &Texts::stall_reactions,
     "false: a leader whose disk hangs stays; for showing what it costs, with --allow-faults"},
    {"election-ms", &Texts::election_ms, "election floor, at least four heartbeats"},
};
constexpr const char* kAllowFaults = "allow-faults";
constexpr const char* kJoin = "join";

/// A flag without a value, which the environment gives as true or false.
struct FlagRow {
  const char* name;
  std::string Texts::*text;
  const char* help;
};
constexpr FlagRow kFlags[] = {
    {kAllowFaults, &Texts::allow_faults, "let clients inject faults; for tests only"},
    {kJoin, &Texts::join,
     "wait to be added to a running cluster (`holdfast member add`); --initial-cluster then names\n"
     "its members and this one"},
};

Status wrong(const std::string& option, const std::string& why) {
  return {Code::kInvalidArgument, "--" + option + ": " + why};
}

Status read_number(const char* option, const std::string& text, std::uint64_t low,
                   std::uint64_t high, std::uint64_t* out) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    return wrong(option, "'" + text + "' is not a whole number from " + std::to_string(low) +
                             " to " + std::to_string(high));
  }
  *out = value;
  return Status::ok();
}

Status read_number(const char* option, const std::string& text, std::uint32_t low,
                   std::uint32_t high, std::uint32_t* out) {
  std::uint64_t value = 0;
  const Status status = read_number(option, text, std::uint64_t{low}, std::uint64_t{high}, &value);
  if (status.is_ok()) *out = static_cast<std::uint32_t>(value);
  return status;
}

Status read_address(const char* option, const std::string& text, net::Address* out) {
  auto address = net::parse_address(text);
  if (!address) return wrong(option, address.status().detail());
  *out = std::move(address).value();
  return Status::ok();
}

Status read_bool(const char* option, const std::string& text, bool* out) {
  if (text == "true" || text == "1") {
    *out = true;
  } else if (text == "false" || text == "0") {
    *out = false;
  } else {
    return wrong(option, "'" + text + "' is neither true nor false");
  }
  return Status::ok();
}

Status read_logging(const Texts& texts, Config* config) {
  if (texts.log_format == "json") {
    config->log_format = LogFormat::kJson;
  } else if (texts.log_format != "console") {
    return wrong("log-format", "'" + texts.log_format + "' is neither console nor json");
  }
  for (const auto level :
       {LogLevel::kTrace, LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (texts.log_level != name_of(level)) continue;
    config->log_level = level;
    return Status::ok();
  }
  return wrong("log-level", "'" + texts.log_level + "' is none of trace, debug, info, warn, error");
}

Status read_identity(const Texts& texts, Config* config) {
  for (const auto& [option, text] :
       {std::pair{"name", &texts.name}, std::pair{"data-dir", &texts.data_dir},
        std::pair{"cluster-token", &texts.cluster_token},
        std::pair{"initial-cluster", &texts.initial_cluster}}) {
    if (text->empty()) return wrong(option, "is required");
  }
  config->name = texts.name;
  config->data_dir = texts.data_dir;
  config->cluster_token = texts.cluster_token;
  config->cluster = cluster_id_of(texts.cluster_token);
  config->self = member_id_of(texts.cluster_token, texts.name);
  auto members = parse_members(texts.initial_cluster, texts.cluster_token);
  if (!members) return wrong("initial-cluster", members.status().detail());
  config->members = std::move(members).value();
  if (config->find(config->self) == nullptr) {
    return wrong("initial-cluster", "does not name '" + texts.name + "' (--name)");
  }
  return Status::ok();
}

Status read_numbers(const Texts& texts, Config* config) {
  Status status = read_number("time-scale", texts.time_scale, 1u, 100u, &config->time_scale);
  if (!status.is_ok()) return status;
  status = read_number("log-bytes-max", texts.log_bytes_max, std::uint64_t{1} << 16,
                       std::uint64_t{1} << 40, &config->log_bytes_max);
  if (!status.is_ok()) return status;
  status = read_number("probe-ms", texts.probe_ms, 0u, 3'600'000u, &config->probe_ms);
  if (!status.is_ok()) return status;
  status = read_number("scrub-ms", texts.scrub_ms, 0u, 2'000'000'000u, &config->scrub_ms);
  if (!status.is_ok()) return status;
  if (config->scrub_ms != 0 && config->scrub_ms < 1000) {
    return wrong("scrub-ms", "at least 1000, or 0 for none");
  }
  status = read_number("heartbeat-ms", texts.heartbeat_ms, 10u, 10'000u, &config->heartbeat_ms);
  if (!status.is_ok()) return status;
  return read_number("election-ms", texts.election_ms, 4 * config->heartbeat_ms, 60'000u,
                     &config->election_ms);
}

/// Whoever reaches the port can hang the disk.
Status read_allow_faults(const Texts& texts, Config* config) {
  Status status = read_bool(kAllowFaults, texts.allow_faults, &config->allow_faults);
  if (!status.is_ok() || !config->allow_faults) return status;
  const std::string& host = config->listen_client.host;
  const bool loopback = host.starts_with("127.") || host == "localhost" || host == "::1";
  if (loopback) return status;
  return wrong(kAllowFaults, "needs a --listen-client on loopback, such as 127.0.0.1:7400: on " +
                                 host + " anybody could inject them");
}

/// A cluster without them is a zombie's home: only for showing what they are good for.
Status read_stall_reactions(const Texts& texts, Config* config) {
  Status status = read_bool("stall-reactions", texts.stall_reactions, &config->stall_reactions);
  if (!status.is_ok() || config->stall_reactions || config->allow_faults) return status;
  return wrong("stall-reactions", "can be switched off only with --allow-faults");
}

Result<Config> understand(const Texts& texts) {
  Config config;
  Status status = read_identity(texts, &config);
  if (status.is_ok())
    status = read_address("listen-client", texts.listen_client, &config.listen_client);
  if (status.is_ok()) status = read_address("listen-peer", texts.listen_peer, &config.listen_peer);
  if (status.is_ok()) status = read_address("listen-http", texts.listen_http, &config.listen_http);
  if (status.is_ok()) status = read_logging(texts, &config);
  if (status.is_ok()) status = read_allow_faults(texts, &config);
  if (status.is_ok()) status = read_stall_reactions(texts, &config);
  if (status.is_ok()) status = read_bool(kJoin, texts.join, &config.join);
  if (status.is_ok()) status = read_numbers(texts, &config);
  if (!status.is_ok()) return status;
  return config;
}

CommandLine ended(std::string text, int exit_code) {
  CommandLine line;
  line.text = std::move(text);
  line.exit_code = exit_code;
  return line;
}

}  // namespace

const MemberConfig* Config::find(base::MemberId id) const {
  const auto at = std::find_if(members.begin(), members.end(),
                               [&](const MemberConfig& member) { return member.id == id; });
  return at == members.end() ? nullptr : &*at;
}

base::ClusterId cluster_id_of(const std::string& token) {
  return base::ClusterId(std::max<std::uint64_t>(base::hash64(token), 1));
}

base::MemberId member_id_of(const std::string& token, const std::string& name) {
  return base::MemberId(std::max<std::uint64_t>(base::hash64(token + "/" + name), 1));
}

Result<std::vector<MemberConfig>> parse_members(const std::string& text, const std::string& token) {
  std::vector<MemberConfig> members;
  std::set<std::string> names;
  std::set<base::MemberId> ids;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, comma - at);
    at = comma + 1;
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Status(Code::kInvalidArgument, "'" + part + "' is not NAME=HOST:PORT[@HOST:PORT]");
    }
    MemberConfig member;
    member.name = part.substr(0, equals);
    member.id = member_id_of(token, member.name);
    const std::string addresses = part.substr(equals + 1);
    const std::size_t sign = addresses.find('@');
    auto peer = net::parse_address(addresses.substr(0, sign));
    if (!peer) return peer.status();
    member.peer = std::move(peer).value();
    if (sign != std::string::npos) {
      auto client = net::parse_address(addresses.substr(sign + 1));
      if (!client) return client.status();
      member.client_address = client->to_string();
    }
    if (!names.insert(member.name).second || !ids.insert(member.id).second) {
      return Status(Code::kInvalidArgument, "'" + member.name + "' is named twice");
    }
    members.push_back(std::move(member));
  }
  return members;
}

raft::Configuration initial_configuration(const std::vector<MemberConfig>& members) {
  raft::Configuration initial;
  for (const auto& member : members) {
    initial.voters.push_back(
        {member.id, {}, member.name, member.peer.to_string(), member.client_address});
  }
  std::sort(initial.voters.begin(), initial.voters.end(),
            [](const raft::Member& a, const raft::Member& b) { return a.id < b.id; });
  return initial;
}

std::string environment_name(std::string flag) {
  for (char& c : flag) {
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return "HOLDFAST_" + flag;
}

CommandLine parse_command_line(int argc, const char* const* argv,
                               const std::function<const char*(const char*)>& getenv) {
  Texts texts;
  bool version = false;
  CLI::App app(
      "holdfastd: one member of a Holdfast cluster.\n"
      "Each flag is also read from the environment: --data-dir as HOLDFAST_DATA_DIR.");
  app.name("holdfastd");
  app.allow_extras(false);
  for (const auto& row : kOptions) {
    app.add_option(std::string("--") + row.name, texts.*row.text, row.help);
  }
  for (const auto& row : kFlags) app.add_flag(std::string("--") + row.name, row.help);
  app.add_flag("--version", version, "print the version and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return ended(app.help(), 0);
  } catch (const CLI::Error& error) {
    return ended(std::string("holdfastd: ") + error.what() + "\nTry holdfastd --help.\n", 2);
  }
  if (version) return ended("holdfastd " HOLDFAST_VERSION "\n", 0);
  for (const auto& row : kOptions) {
    if (app.count(std::string("--") + row.name) > 0) continue;
    if (const char* value = getenv(environment_name(row.name).c_str())) texts.*row.text = value;
  }
  for (const auto& row : kFlags) {
    const auto* flag = app.get_option(std::string("--") + row.name);
    if (flag->count() > 0) {
      texts.*row.text = flag->as<bool>() ? "true" : "false";
    } else if (const char* value = getenv(environment_name(row.name).c_str())) {
      texts.*row.text = value;
    }
  }
  auto config = understand(texts);
  if (!config) {
    return ended("holdfastd: " + config.status().detail() + "\nTry holdfastd --help.\n", 2);
  }
  CommandLine line;
  line.config = std::move(config).value();
  return line;
}

raft::Options core_options(const Config& config, base::Opening opening,
                           base::Incarnation incarnation) {
  raft::Options options;
  options.self = config.self;
  options.incarnation = incarnation;
  options.opening = opening;
  options.seed = opening.nonce ^ config.self.value;
  options.heartbeat_ticks = config.heartbeat_ms / 10;
  options.election_ticks = config.election_ms / 10;
  options.check_quorum_ticks = 2 * options.election_ticks;
  options.stall_ticks = 2 * options.election_ticks;
  options.step_down_on_stall = options.withdraw_support = config.stall_reactions;
  return options;
}

}  // namespace server
