#include "server/offline.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "server/audit.h"
#include "server/log_sink.h"
#include "server/recovery.h"
#include "server/restore.h"
#include "storage/snapshot_file.h"

namespace server {
namespace {

using base::Status;
using nlohmann::ordered_json;
using Getenv = std::function<const char*(const char*)>;

constexpr int kExitUsage = 2;

std::string text_of(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

int print(const std::string& text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written) std::fprintf(stderr, "holdfast: the output cannot be written\n");
  return written ? 0 : 1;
}

int fail(const char* what, const Status& status) {
  std::fprintf(stderr, "holdfast: %s: %s\n", what, status.to_string().c_str());
  return 1;  // for good: nothing here is tried again, and nothing is left half done
}

/// What the verbs have in common of their command lines.
class Line {
 public:
  Line(const char* name, const char* text) : app_(text, name) {
    app_.add_option("-w,--write-out", format_, "simple or json")
        ->check(CLI::IsMember({"simple", "json"}));
  }
  CLI::App& app() { return app_; }
  bool json() const { return format_ == "json"; }

  /// nullopt: go on; otherwise the exit code, once what there is to say was said.
  std::optional<int> parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
      return std::nullopt;
    } catch (const CLI::CallForHelp&) {
      return print(app_.help());
    } catch (const CLI::ParseError& error) {
      return refuse(error.what());
    }
  }
  int refuse(const std::string& why) const {
    std::fprintf(stderr, "%s: %s\nTry `%s --help`.\n", app_.get_name().c_str(), why.c_str(),
                 app_.get_name().c_str());
    return kExitUsage;
  }

 private:
  CLI::App app_;
  std::string format_ = "simple";
};

// ---- snapshot status ----

ordered_json json_of(const storage::SnapshotFileSummary& summary) {
  const kv::Position& position = summary.header.position;
  return {{"cluster", base::to_hex(summary.header.cluster.value)},
          {"member", base::to_hex(summary.header.member.value)},
          {"saved_ms", summary.header.created_ms},
          {"generation", position.generation},
          {"index", position.applied.value},
          {"term", position.term.value},
          {"revision", position.revision.value},
          {"keys", summary.keys},
          {"events", summary.events},
          {"sessions", summary.sessions},
          {"digest", base::to_hex(position.digest)},
          {"bytes", summary.bytes}};
}

std::string members_of(const kv::Position& position) {
  const auto configuration = raft::decode_configuration(position.configuration);
  std::string names;
  if (!configuration) return names;
  for (const raft::Member& voter : configuration->voters) names += " " + voter.name;
  for (const raft::Member& learner : configuration->learners) {
    names += " " + learner.name + " (learner)";
  }
  return names;
}

std::string simple_of(const storage::SnapshotFileSummary& summary) {
  const kv::Position& position = summary.header.position;
  std::string text = "whole: every checksum holds\n";
  const auto add = [&text](std::string name, const std::string& value) {
    name.resize(12, ' ');
    text += name + value + "\n";
  };
  add("saved", describe_time(summary.header.created_ms) + " by member " +
                   base::to_hex(summary.header.member.value));
  add("cluster", base::to_hex(summary.header.cluster.value));
  add("generation", std::to_string(position.generation));
  add("index", std::to_string(position.applied.value));
  add("term", std::to_string(position.term.value));
  add("revision", std::to_string(position.revision.value));
  add("keys", std::to_string(summary.keys));
  add("sessions", std::to_string(summary.sessions));
  add("bytes", std::to_string(summary.bytes));
  if (const std::string members = members_of(position); !members.empty()) {
    add("members", members.substr(1));
  }
  return text;
}

int snapshot_status(int argc, const char* const* argv) {
  std::string file;
  Line line("holdfast snapshot status", "Checks a snapshot file and says what it holds.");
  line.app().add_option("FILE", file, "the file")->required();
  if (const auto ended = line.parse(argc, argv)) return *ended;
  auto summary = storage::summarize_snapshot_file(file);
  if (!summary) return fail("snapshot status", summary.status());
  return print(line.json() ? text_of(json_of(summary.value())) : simple_of(summary.value()));
}

// ---- snapshot restore ----

ordered_json json_of(const Restored& restored, const RestoreOptions& options) {
  return {{"data_dir", options.data_dir},
          {"cluster", base::to_hex(restored.cluster.value)},
          {"member", base::to_hex(restored.member.value)},
          {"generation", restored.position.generation},
          {"index", restored.position.applied.value},
          {"term", restored.position.term.value},
          {"revision", restored.position.revision.value}};
}

int snapshot_restore(int argc, const char* const* argv, const Getenv& getenv) {
  RestoreOptions options;
  std::string initial_cluster;
  Line line("holdfast snapshot restore",
            "Makes the data directory of one member of a new cluster from a snapshot file. Run it\n"
            "for every member of --initial-cluster with the same file; then start them all.");
  CLI::App& app = line.app();
  app.add_option("FILE", options.file, "the file")->required();
  const std::pair<const char*, std::pair<std::string*, const char*>> texts[] = {
      {"data-dir", {&options.data_dir, "the new directory: missing or empty"}},
      {"name", {&options.name, "the member's name, one of --initial-cluster"}},
      {"cluster-token", {&options.cluster_token, "of the new cluster; not the old one's"}},
      {"initial-cluster", {&initial_cluster, "NAME=HOST:PEERPORT[@HOST:CLIENTPORT],… of all"}}};
  for (const auto& [name, to] : texts)
    app.add_option(std::string("--") + name, *to.first, to.second);
  if (const auto ended = line.parse(argc, argv)) return *ended;
  for (const auto& [name, to] : texts) {
    const char* value = getenv(environment_name(name).c_str());
    if (to.first->empty() && value != nullptr) *to.first = value;
    if (to.first->empty()) return line.refuse(std::string("--") + name + " is required");
  }
  auto members = parse_members(initial_cluster, options.cluster_token);
  if (!members) return line.refuse("--initial-cluster: " + members.status().detail());
  options.members = std::move(members).value();
  const auto self = member_id_of(options.cluster_token, options.name);
  if (std::none_of(options.members.begin(), options.members.end(),
                   [&](const MemberConfig& each) { return each.id == self; })) {
    return line.refuse("--initial-cluster does not name '" + options.name + "' (--name)");
  }
  auto restored = restore_snapshot(options);
  if (!restored) return fail("snapshot restore", restored.status());
  std::fputs(restored->audit.c_str(), stderr);
  if (line.json()) return print(text_of(json_of(restored.value(), options)));
  return print("restored " + options.data_dir + " at " + describe(restored->position) +
               ": start holdfastd on it, with the same --name, --cluster-token and "
               "--initial-cluster\n");
}

// ---- recover ----

constexpr const char* kConsent = "--i-accept-the-loss-of-unreplicated-writes";

ordered_json json_of(const Recovery::Result& recovered, const Survivor& survivor) {
  return {{"member", base::to_hex(survivor.identity.member.value)},
          {"name", survivor.member.name},
          {"cluster", base::to_hex(survivor.identity.cluster.value)},
          {"generation", recovered.position.generation},
          {"committed_index", survivor.state.applied.value},
          {"last_index", survivor.last.value},
          {"index", recovered.position.applied.value},
          {"term", recovered.position.term.value},
          {"revision", recovered.position.revision.value},
          {"old_directory", recovered.kept}};
}

std::string simple_of(const Survivor& survivor) {
  return "This would make " + survivor.member.name + " the only member of generation " +
         std::to_string(survivor.state.generation + 1) + " of its cluster.\n" + "  members    " +
         names_of(survivor.configuration) +
         ": the data directories of the others are refused from then on\n" +
         "  committed  up to index " + std::to_string(survivor.state.applied.value) +
         ", revision " + std::to_string(survivor.state.revision.value) + "\n" + "  kept       " +
         describe_kept(survivor) + " of its log, though perhaps never committed\n" +
         "  lost       " + describe_loss(survivor) + "\n";
}

int recover(int argc, const char* const* argv) {
  std::string data_dir, reason;
  bool consent = false;
  Line line("holdfast recover",
            "After a quorum was lost for good: one survivor goes on alone, in a new generation.\n"
            "holdfastd must not run on it. Choose the survivor whose log reaches furthest.\n"
            "Without consent it only says what would be kept and what may be lost.");
  line.app().add_option("--data-dir", data_dir, "the survivor's data directory")->required();
  line.app().add_option("--reason", reason, "why, for the record; required with consent");
  line.app().add_flag(kConsent, consent, "do it");
  if (const auto ended = line.parse(argc, argv)) return *ended;
  if (consent && reason.empty()) return line.refuse("--reason is required: it is written down");
  auto recovery = Recovery::open(data_dir);
  if (!recovery) return fail("recover", recovery.status());
  const Survivor survivor = recovery.value()->survivor();
  if (!consent) {
    (void)print(simple_of(survivor));
    return line.refuse(std::string("nothing was changed: it is done only with --reason and ") +
                       kConsent);
  }
  LogSink lines({.node = survivor.member.name});
  auto recovered = recovery.value()->run(reason);
  if (!recovered) return fail("recover", recovered.status());
  lines.write(LogLevel::kWarn, "recovered from the loss of a quorum",
              {{"path", data_dir},
               {"generation", recovered->position.generation},
               {"committed", survivor.state.applied.value},
               {"last", survivor.last.value},
               {"lost", describe_loss(survivor)},
               {"reason", reason}});
  if (line.json()) return print(text_of(json_of(recovered.value(), survivor)));
  return print(recovered->audit + survivor.member.name +
               " is the only member now: start holdfastd on it as before, then take the others "
               "back by\n`holdfast member add`, each with an empty data directory and --join.\n");
}

}  // namespace

std::optional<int> run_offline(int argc, const char* const* argv, const Getenv& getenv) {
  const auto word = [&](int i) { return std::string_view(i < argc ? argv[i] : ""); };
  if (word(1) == "recover") return recover(argc - 1, argv + 1);
  if (word(1) != "snapshot") return std::nullopt;
  if (word(2) == "status") return snapshot_status(argc - 2, argv + 2);
  if (word(2) == "restore") return snapshot_restore(argc - 2, argv + 2, getenv);
  std::fprintf(stderr, "holdfastd: snapshot: 'status' or 'restore' is meant\n");
  return kExitUsage;
}

}  // namespace server
