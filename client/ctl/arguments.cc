#include "client/ctl/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <string_view>

#include "client/ctl/bad_argument.h"
#include "client/ctl/duration.h"
#include "client/ctl/escape.h"
#include "net/connection.h"

namespace client::ctl {
namespace {

constexpr char kVersion[] = "holdfast " HOLDFAST_VERSION;

/// What CLI11 fills, as text; turned into Arguments once parsing is through.
struct Raw {
  std::vector<std::string> endpoints;
  std::string timeout = "5s", dial_timeout = "500ms", format = "simple";
  std::string consistency = "l";
  std::string at_time;
  std::string max_staleness;
  std::optional<std::uint64_t> keep_revisions;
  std::string keep_age;
  std::string value;
  bool value_given = false;
  std::string bench_verb, bench_duration = "10s";
  std::vector<std::string> fault_words;
  std::string fault_for;
  std::string wait = "30s";
  std::uint32_t time_scale = 1;
};

void add_global(CLI::App& app, Raw& raw, Arguments& to) {
  app.add_option("--endpoints", raw.endpoints, "members to ask first, HOST:PORT[,HOST:PORT…]")
      ->delimiter(',')
      ->envname("HOLDFAST_ENDPOINTS");
  app.add_option("--timeout", raw.timeout, "of one command, all attempts together (default 5s)")
      ->envname("HOLDFAST_TIMEOUT");
  app.add_option("--dial-timeout", raw.dial_timeout, "of one connection (default 500ms)")
      ->envname("HOLDFAST_DIAL_TIMEOUT");
  app.add_option("-w,--write-out", raw.format, "simple or json")->envname("HOLDFAST_WRITE_OUT");
  app.add_option("--time-scale", raw.time_scale, "as the servers' flag: they elect so much slower")
      ->envname("HOLDFAST_TIME_SCALE")
      ->check(CLI::Range(1, 100));
  app.add_flag("--hex", to.global.hex, "keys and values are written with \\xNN escapes");
}

void add_range_flags(CLI::App& app, std::string& key, std::string& end, bool& prefix, bool& from) {
  app.add_option("KEY", key, "the key, or the first key of a range")->required();
  app.add_option("END", end, "the range ends before this key");
  app.add_flag("--prefix", prefix, "all keys that begin with KEY");
  app.add_flag("--from-key", from, "all keys from KEY on");
}

void add_key_verbs(CLI::App& app, Raw& raw, Arguments& to) {
  auto* put = app.add_subcommand("put", "put a value; from stdin if VALUE is missing or -");
  put->add_option("KEY", to.put.key, "the key")->required();
  put->add_option("VALUE", raw.value, "the value")->each([&raw](const std::string&) {
    raw.value_given = true;
  });
  put->add_option("--lease", to.write.lease_text, "attach the key to it; it goes when that ends");
  add_fence_flag(*put, to);
  put->callback([&to] { to.verb = Verb::kPut; });

  auto* get = app.add_subcommand("get", "print the value of a key, or a range of keys and values");
  add_range_flags(*get, to.get.key, to.get.end, to.get.prefix, to.get.from_key);
  get->add_option("--limit", to.get.limit, "at most so many keys");
  get->add_flag("--keys-only", to.get.keys_only, "no values");
  get->add_flag("--count-only", to.get.count_only, "only how many keys there are");
  get->add_option("--rev", to.get.revision, "as it was after this revision");
  get->add_option("--at-time", raw.at_time,
                  "as it was then: 2026-11-30T05:00:00Z, -5m, or milliseconds since 1970");
  get->add_option("--consistency", raw.consistency,
                  "l: linearizable (default); s: what the asked member has, perhaps stale");
  get->add_option("--max-staleness", raw.max_staleness,
                  "with --consistency s: at most so old, such as 1s; older: the leader is asked");
  get->callback([&to] { to.verb = Verb::kGet; });

  auto* del = app.add_subcommand("del", "delete a key or a range; prints how many there were");
  add_range_flags(*del, to.del.key, to.del.end, to.del.prefix, to.del.from_key);
  add_fence_flag(*del, to);
  del->callback([&to] { to.verb = Verb::kDel; });

  auto* txn = app.add_subcommand("txn", "run a transaction, read from stdin");
  txn->footer(
      "Compares, an empty line, what to do if all hold, an empty line, what to do otherwise:\n"
      "  version(\"lock\") = \"0\"\n\n  put lock \"me\"\n\n  get lock\n"
      "Compares: value, version, create, modify, lease, exists, lock, with = != < >, such as\n"
      "exists(\"k\") = 1, lock(\"backup\") = TOKEN. Operations: put KEY VALUE [--lease=ID],\n"
      "get KEY [END] and del KEY [END] with --prefix. Exit code 3 if a compare failed.");
  add_fence_flag(*txn, to);
  txn->callback([&to] { to.verb = Verb::kTxn; });
}

void add_resolve(CLI::App& app, Arguments& to) {
  auto* resolve = app.add_subcommand("resolve", "what became of a write whose outcome was unknown");
  resolve->add_option("SESSION", to.resolve.session, "as the failed command said it")->required();
  resolve->add_option("SEQ", to.resolve.sequence, "likewise")->required();
  resolve->footer(
      "\"applied at revision R\" (exit code 0), \"never\" (3: it was not applied, and can not be "
      "from\n"
      "now on) or \"forgotten\" (5: its session is gone, or has let the outcome go).");
  resolve->callback([&to] { to.verb = Verb::kResolve; });
}

void add_history_verbs(CLI::App& app, Raw& raw, Arguments& to) {
  auto* history =
      app.add_subcommand("history", "every version of a key that is kept, newest first");
  history->add_option("KEY", to.history.key, "the key")->required();
  history->add_option("--limit", to.history.limit, "at most so many versions");
  history->add_option("--before", to.history.before, "only versions of older revisions");
  history->callback([&to] { to.verb = Verb::kHistory; });

  auto* compact = app.add_subcommand("compact", "give up old versions, now or from here on");
  compact->add_option("REV", to.compact.revision,
                      "what is older, and superseded at this revision, goes now");
  compact->add_option("--keep-revisions", raw.keep_revisions,
                      "from here on keep so many revisions, older ones go (0: no bound)");
  compact->add_option("--keep-age", raw.keep_age,
                      "from here on keep what is younger, such as 12h or 7d (0: no bound)");
  compact->footer(
      "What is in force is part of the cluster's state; `holdfast -w json status` shows it.\n"
      "Each call says both bounds: one that is not given is none. Without bounds every version is\n"
      "kept until somebody compacts.");
  compact->callback([&to] { to.verb = Verb::kCompact; });
}

void add_cluster_verbs(CLI::App& app, Raw& raw, Arguments& to) {
  auto* status = app.add_subcommand("status", "what each member says of itself, and who leads");
  status->callback([&to] { to.verb = Verb::kStatus; });

  auto* health = app.add_subcommand("health", "what members find wrong with themselves and others");
  health->add_option("NODE", to.health_of, "one member with all its checks (default: all members)");
  health->callback([&to] { to.verb = Verb::kHealth; });
  app.add_subcommand("matrix", "who hears whom, how fast, and which verdicts stand")
      ->callback([&to] { to.verb = Verb::kMatrix; });
  app.add_subcommand("why", "each change of leader and verdict of the last hour, and its evidence")
      ->callback([&to] { to.verb = Verb::kWhy; });
  auto* trace =
      app.add_subcommand("trace", "requests that were slow or failed, and where they waited");
  trace->add_option("TRACE", to.trace.trace, "one of them, by the first digits of its id");
  trace->add_option("--chrome", to.trace.chrome,
                    "write them to this file (-: stdout) for chrome://tracing or ui.perfetto.dev");
  trace->callback([&to] { to.verb = Verb::kTrace; });

  auto* fault = app.add_subcommand("fault", "inject a fault into one member, list or clear them");
  fault->add_option("WORDS", raw.fault_words,
                    "NAME [KEY=VALUE]...: inject it; clear [NAME]: end it, or all; nothing: list");
  fault->add_option("--for", raw.fault_for, "when it ends by itself (default: when cleared)");
  fault->footer(
      "holdfast --endpoints HOST:PORT fault slow-log-sync delay=200ms --for 30s\n"
      "The member must run with --allow-faults.");
  fault->callback([&to] { to.verb = Verb::kFault; });

  auto* bench = app.add_subcommand("bench", "measure puts or gets with many clients, or at a rate");
  bench->add_option("WHAT", raw.bench_verb, "put or get")->required();
  bench->add_option("--clients", to.bench.clients, "logical clients (default 64)")
      ->check(CLI::Range(1, 100000));
  bench->add_option("--duration", raw.bench_duration, "how long (default 10s)");
  bench->add_option("--value-size", to.bench.value_bytes, "bytes a value (default 256)")
      ->check(CLI::Range(0, 1536 * 1024));
  bench->add_option("--key-space", to.bench.key_space, "how many keys (default 1000000)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  bench
      ->add_option("--connections", to.global.client.connections,
                   "connections a session of at most 512 clients (default 1)")
      ->check(CLI::Range(1, 64));
  bench
      ->add_option("--rate", to.bench.rate,
                   "calls a second, each timed from when it was due; --clients bounds how many "
                   "are under way (default: each client calls again once it was answered)")
      ->check(CLI::Range(1, 1000000));
  bench->add_option("--seed", to.bench.seed, "of the choice of keys");
  bench->callback([&to] { to.verb = Verb::kBench; });
}

using Action = PlaygroundArguments::Action;

CLI::App* add_action(CLI::App& app, Arguments& to, const char* name, Action action,
                     const char* text) {
  auto* sub = app.add_subcommand(name, text);
  sub->add_option("--tag", to.playground.tag, "which playground (default: default)");
  sub->callback([&to, action] { to.playground.action = action; });
  return sub;
}

CLI::App* add_node_action(CLI::App& playground, Arguments& to, const char* name, Action action,
                          const char* text) {
  auto* sub = add_action(playground, to, name, action, text);
  sub->add_option("NODE", to.playground.node, "n1, 1, leader, follower")->required();
  return sub;
}

/// Faults of one node, of a link, or between groups.
void add_injections(CLI::App& playground, Arguments& to) {
  PlaygroundArguments& p = to.playground;
  const auto with_node = [&](const char* name, Action action, const char* text) {
    return add_node_action(playground, to, name, action, text);
  };
  with_node("hang-disk", Action::kHangDisk, "let the node's log syncs hang");
  with_node("slow-disk", Action::kSlowDisk, "let each of the node's log syncs take longer")
      ->add_option("--delay", p.delay, "by so much (default 100ms)");
  with_node("fail-disk", Action::kFailDisk, "let the node's log syncs fail: its process ends");
  const auto with_link = [&](const char* name, Action action, const char* text) {
    auto* sub = with_node(name, action, text);
    sub->add_option("OTHER", p.other, "the other node")->required();
    sub->add_flag("--one-way", p.one_way, "only what NODE sends to OTHER");
    return sub;
  };
  with_link("cut", Action::kCut, "cut the link between two nodes, without telling them");
  with_link("slow-link", Action::kSlowLink, "let the link between two nodes be slow")
      ->add_option("--delay", p.delay, "each way (default 100ms)");
  with_node("fill-disk", Action::kFillDisk, "let the node's disk seem full");
  with_node("skew-clock", Action::kSkewClock, "let the node's wall clock lie")
      ->add_option("--by", p.by, "ahead by so much, such as 5s, 1h or -5s (default 5s)");
  with_node("stall", Action::kStall, "let a thread of the node stand still")
      ->add_option("--thread", p.thread, "loop (default), log or apply")
      ->check(CLI::IsMember({"loop", "log", "apply"}));
  with_node("block-logs", Action::kBlockLogs, "let nobody read the node's log lines");
  with_node("starve", Action::kStarve, "let the node have little CPU time")
      ->add_option("--share", p.share_percent, "percent of a CPU (default 5)")
      ->check(CLI::Range(1, 99));
  with_node("isolate", Action::kIsolate, "cut a node off from all others")
      ->add_flag("--one-way", p.one_way, "only what it sends");
  with_node("lossy", Action::kLossy, "let a node's links lose packets")
      ->add_option("--loss", p.loss, "so many (default 30%)");
  add_action(playground, to, "partition", Action::kPartition, "cut groups of nodes apart")
      ->add_option("GROUPS", p.groups, "n1,n2/n3; whoever is not named is alone")
      ->required();
  auto* fault = with_node("fault", Action::kFault, "inject any fault that `holdfast fault` lists");
  fault->add_option("NAME", p.fault, "such as narrow-link")->required();
  fault->add_option("PARAMETER", p.parameters, "such as peer=all rate=10kB/s");
}

void add_playground(CLI::App& app, Raw& raw, Arguments& to) {
  auto* playground =
      app.add_subcommand("playground", "a cluster on this machine, to try failures on");
  playground->require_subcommand(1);
  playground->callback([&to] { to.verb = Verb::kPlayground; });
  PlaygroundArguments& p = to.playground;

  auto* up =
      add_action(*playground, to, "up", Action::kUp, "start a cluster and wait until it is ready");
  up->add_option("--nodes", p.nodes, "3 (default) or 5; 1 works too")
      ->check(CLI::IsMember({1, 3, 5}));
  up->add_flag("--detach", p.detach, "return once it is ready; it runs on until `down`");
  up->add_option("--data", p.data, "keep state, data and logs in this directory");
  up->add_flag("--keep", p.keep, "keep the data at `down`, for the next `up` with the same tag");
  up->add_option("--port-base", p.port_base, "use ports from here on; default: free ones");
  up->add_option("--wait", raw.wait, "how long to wait until it is ready (default 30s)");
  up->add_option("--server-flag", p.server_flags,
                 "passed to every node, as --server-flag=--time-scale=5");

  add_action(*playground, to, "status", Action::kStatus, "processes, roles and endpoints");
  add_action(*playground, to, "env", Action::kEnv, "print what to eval, to reach it with holdfast");
  add_action(*playground, to, "down", Action::kDown, "stop everything");
  const auto with_node = [&](const char* name, Action action, const char* text) {
    return add_node_action(*playground, to, name, action, text);
  };
  with_node("kill", Action::kKill, "kill -9 a node; it stays down until `restart`");
  with_node("stop", Action::kStop, "SIGTERM: the node hands over, drains and ends");
  with_node("restart", Action::kRestart, "start a node again (stopping it first if it runs)");
  with_node("pause", Action::kPause, "SIGSTOP");
  with_node("resume", Action::kResume, "SIGCONT");
  add_injections(*playground, to);
  auto* heal = add_action(*playground, to, "heal", Action::kHeal,
                          "end faults and pauses, of one node or of all");
  heal->add_option("NODE", p.node, "n1, 1 or leader; none: all");
  auto* run = add_action(*playground, to, "run", Action::kRun,
                         "let what a file says happen, at its times and under load");
  run->add_option("SCENARIO", p.scenario, "the file; docs/failures.md has its language")
      ->required();
  run->add_option("--clients", p.clients, "that write meanwhile (default 64)")
      ->check(CLI::Range(1, 4096));
  auto* logs = with_node("logs", Action::kLogs, "print a node's log");
  logs->add_flag("-f,--follow", p.follow, "go on printing");
  logs->add_option("-n,--lines", p.lines, "only the last lines");
}

using Kind = MemberChange::Kind;

CLI::App* add_change(CLI::App& app, Arguments& to, const char* name, Kind kind, const char* text) {
  auto* sub = app.add_subcommand(name, text);
  sub->add_option("NAME", to.member.change.name, "the member's name, or its id")->required();
  sub->callback([&to, kind] { to.member.change.kind = kind; });
  return sub;
}

void add_addresses(CLI::App& app, Arguments& to, bool required) {
  auto* peer = app.add_option("--peer-address", to.member.change.peer_address,
                              "HOST:PORT where the other members reach it");
  if (required) peer->required();
  app.add_option("--client-address", to.member.change.client_address,
                 "HOST:PORT where clients reach it");
}

void add_membership(CLI::App& app, Arguments& to) {
  auto* member = app.add_subcommand("member", "who belongs to the cluster");
  member->require_subcommand(1);
  member->callback([&to] { to.verb = Verb::kMember; });
  member->add_subcommand("list", "every member, its addresses and whether it votes")
      ->callback([&to] { to.member.change.kind = Kind::kList; });
  auto* add = add_change(*member, to, "add", Kind::kAdd,
                         "a new member learns the state, then votes; start it with --join");
  add_addresses(*add, to, true);
  add->add_flag("--learner", to.member.change.learner, "it stays a learner until `promote`");
  add->add_flag("--wait", to.member.wait, "return once it votes");
  auto* promote = add_change(*member, to, "promote", Kind::kPromote,
                             "a learner votes as soon as it has caught up");
  promote->add_flag("--wait", to.member.wait, "return once it votes");
  add_change(*member, to, "remove", Kind::kRemove, "it votes no more and gets nothing more");
  auto* replace = add_change(*member, to, "replace", Kind::kReplace,
                             "another data directory takes its place: after its disk was lost");
  add_addresses(*replace, to, false);
  replace->add_flag("--wait", to.member.wait, "return once it votes");
  auto* update = add_change(*member, to, "update", Kind::kUpdate, "other addresses");
  add_addresses(*update, to, false);

  auto* move = app.add_subcommand("move-leader", "let another voter lead");
  move->add_option("NAME", to.move_leader_to, "its name, or its id")->required();
  move->callback([&to] { to.verb = Verb::kMoveLeader; });
}

/// A verb that holdfastd carries out: everything behind it is its.
void add_offline(CLI::App& app, Arguments& to, const char* name, std::vector<std::string> words,
                 const char* text) {
  auto* sub = app.add_subcommand(name, text);
  sub->fallthrough(false);
  sub->prefix_command();
  sub->set_help_flag();
  sub->callback([&to, sub, words = std::move(words)] {
    to.verb = Verb::kOffline;
    to.offline = words;
    for (const std::string& word : sub->remaining()) to.offline.push_back(word);
  });
}

void add_snapshots(CLI::App& app, Raw& raw, Arguments& to) {
  auto* snapshot = app.add_subcommand("snapshot", "the whole state as a file, and back");
  snapshot->require_subcommand(1);
  auto* save = snapshot->add_subcommand("save", "fetch the state of a running member");
  save->add_option("FILE", to.snapshot.file, "written as FILE.partial, renamed once it is whole")
      ->required();
  save->add_option("--consistency", raw.consistency,
                   "l: with all that was acknowledged (default); s: what the member has, which "
                   "needs no leader");
  save->callback([&to] { to.verb = Verb::kSnapshotSave; });
  add_offline(*snapshot, to, "status", {"snapshot", "status"},
              "check a file and say what it holds");
  add_offline(*snapshot, to, "restore", {"snapshot", "restore"},
              "make the data directory of a member of a new cluster from a file");
  add_offline(app, to, "recover", {"recover"},
              "go on with one survivor's data directory after a quorum was lost for good");
}

base::Status unescape_all(Arguments& to) {
  if (!to.global.hex) return {};
  std::vector<std::string*> texts = {&to.put.key, &to.get.key,     &to.get.end,   &to.del.key,
                                     &to.del.end, &to.history.key, &to.watch.key, &to.watch.end};
  if (to.put.value.has_value()) texts.push_back(&*to.put.value);
  for (std::string* text : texts) {
    auto bytes = unescape(*text);
    if (!bytes.is_ok()) return bytes.status();
    *text = std::move(bytes).value();
  }
  return {};
}

base::Status convert_fault(const Raw& raw, FaultChange& to) {
  const std::vector<std::string>& words = raw.fault_words;
  if (words.empty() || words.front() == "list") return {};
  if (words.front() == "clear") {
    if (words.size() > 2) return bad("fault clear: one name, or none for all");
    to.kind = FaultChange::Kind::kClear;
    if (words.size() == 2) to.name = words[1];
    return {};
  }
  to.kind = FaultChange::Kind::kSet;
  to.name = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t at = words[i].find('=');
    if (at == std::string::npos || at == 0)
      return bad("fault: \"" + words[i] + "\" is not KEY=VALUE, such as delay=200ms");
    to.parameters.emplace_back(words[i].substr(0, at), words[i].substr(at + 1));
  }
  if (raw.fault_for.empty()) return {};
  auto duration = parse_duration_ms(raw.fault_for);
  if (!duration.is_ok()) return bad("--for: " + duration.status().detail());
  to.for_ms = duration.value();
  return {};
}

base::Status convert_global(const Raw& raw, Global& to) {
  auto timeout = parse_duration_ms(raw.timeout);
  if (!timeout.is_ok()) return bad("--timeout: " + timeout.status().detail());
  auto dial = parse_duration_ms(raw.dial_timeout);
  if (!dial.is_ok()) return bad("--dial-timeout: " + dial.status().detail());
  to.client.timeout_ms = timeout.value();
  to.client.dial_timeout_ms = dial.value();
  to.client.silence_ms *= raw.time_scale;
  to.client.leaderless_ms *= raw.time_scale;
  if (raw.format != "simple" && raw.format != "json")
    return bad("--write-out: \"" + raw.format + "\" is not simple or json");
  to.format = raw.format == "json" ? Format::kJson : Format::kSimple;
  to.endpoints_given = !raw.endpoints.empty();
  to.client.endpoints = raw.endpoints;
  if (!to.endpoints_given) to.client.endpoints = {"127.0.0.1:7400"};
  for (const auto& endpoint : to.client.endpoints) {
    auto address = net::parse_address(endpoint);
    if (!address.is_ok()) return bad("--endpoints: " + address.status().detail());
  }
  return {};
}

base::Status convert_history(const Raw& raw, Arguments& to) {
  if (!raw.at_time.empty()) {
    if (to.get.revision != 0) return bad("--rev and --at-time exclude each other");
    const auto now_ms = static_cast<std::uint64_t>(std::time(nullptr)) * 1000;
    auto at = parse_moment_ms(raw.at_time, now_ms);
    if (!at.is_ok()) return bad("--at-time: " + at.status().detail());
    to.get.at_ms = at.value();
  }
  if (to.verb != Verb::kCompact) return {};
  if (raw.keep_revisions || !raw.keep_age.empty()) {
    auto age = parse_age_ms(raw.keep_age.empty() ? "0" : raw.keep_age);
    if (!age.is_ok()) return bad("--keep-age: " + age.status().detail());
    to.compact.keep = kv::Retention{raw.keep_revisions.value_or(0), age.value()};
  }
  if (to.compact.revision == 0 && !to.compact.keep)
    return bad("compact: give a revision, --keep-revisions or --keep-age");
  return {};
}

base::Status convert(const Raw& raw, Arguments& to) {
  auto status = convert_global(raw, to.global);
  if (!status.is_ok()) return status;
  if (raw.value_given) to.put.value = raw.value;
  if (raw.consistency != "l" && raw.consistency != "s")
    return bad("--consistency: \"" + raw.consistency + "\" is not l or s");
  if (raw.consistency == "s")
    to.get.consistency = to.snapshot.consistency = Consistency::kSerializable;
  if (!raw.max_staleness.empty()) {
    auto bound = parse_duration_ms(raw.max_staleness);
    if (!bound.is_ok()) return bad("--max-staleness: " + bound.status().detail());
    if (raw.consistency != "s") return bad("--max-staleness goes with --consistency s");
    to.get.max_staleness_ms = bound.value();
  }
  const auto exclusive = [](bool prefix, bool from_key, const std::string& end) {
    return prefix + from_key + !end.empty() <= 1;
  };
  if (!exclusive(to.get.prefix, to.get.from_key, to.get.end) ||
      !exclusive(to.del.prefix, to.del.from_key, to.del.end))
    return bad("END, --prefix and --from-key exclude each other");
  status = convert_coordination(to);
  if (status.is_ok()) status = convert_history(raw, to);
  if (!status.is_ok()) return status;
  if (to.verb == Verb::kBench && raw.bench_verb != "put" && raw.bench_verb != "get")
    return bad("bench: \"" + raw.bench_verb + "\" is not put or get");
  to.bench.writes = raw.bench_verb != "get";
  status = convert_fault(raw, to.fault);
  if (!status.is_ok()) return status;
  auto duration = parse_duration_ms(raw.bench_duration);
  if (!duration.is_ok()) return bad("--duration: " + duration.status().detail());
  to.bench.duration_ms = duration.value();
  auto wait = parse_duration_ms(raw.wait);
  if (!wait.is_ok()) return bad("--wait: " + wait.status().detail());
  to.playground.wait_ms = wait.value();
  return unescape_all(to);
}

bool takes_command(const Arguments& arguments) {
  return arguments.verb == Verb::kLock || arguments.verb == Verb::kWatch ||
         (arguments.verb == Verb::kGuard && arguments.guard.action == GuardArguments::Action::kRun);
}

Parsed parse_words(int argc, const char* const* argv) {
  Raw raw;
  Parsed parsed;
  parsed.arguments.emplace();
  CLI::App app("The client of Holdfast, a replicated key-value store.", "holdfast");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Exit codes: 0 ok; 1 failure; 2 usage; 3 not found or compare failed; 4 unavailable,\n"
      "surely not applied; 5 outcome unknown.");
  add_global(app, raw, *parsed.arguments);
  add_key_verbs(app, raw, *parsed.arguments);
  add_history_verbs(app, raw, *parsed.arguments);
  add_resolve(app, *parsed.arguments);
  add_watch_verb(app, *parsed.arguments);
  add_lease_verbs(app, *parsed.arguments);
  add_lock_verbs(app, *parsed.arguments);
  add_guard_verbs(app, *parsed.arguments);
  add_cluster_verbs(app, raw, *parsed.arguments);
  add_membership(app, *parsed.arguments);
  add_snapshots(app, raw, *parsed.arguments);
  add_playground(app, raw, *parsed.arguments);
  for (auto* sub : app.get_subcommands({})) sub->fallthrough(!sub->get_prefix_command());
  const auto refuse = [&](const std::string& why) {
    parsed.arguments.reset();
    parsed.text = "holdfast: " + why + "\nTry `holdfast --help` or `holdfast COMMAND --help`.\n";
    parsed.exit_code = kExitUsage;
  };
  try {
    app.parse(argc, argv);
    const auto status = convert(raw, *parsed.arguments);
    if (!status.is_ok()) refuse(status.detail());
  } catch (const CLI::CallForHelp&) {
    parsed.text = app.help();
    parsed.arguments.reset();
  } catch (const CLI::CallForVersion&) {
    parsed.text = std::string(kVersion) + "\n";
    parsed.arguments.reset();
  } catch (const CLI::ParseError& error) {
    refuse(error.what());
  }
  return parsed;
}

}  // namespace

/// Where a verb takes a command, what stands behind `--` is that, word for word.
Parsed parse_arguments(int argc, const char* const* argv) {
  const auto end = argv + argc;
  const auto dashes =
      std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
  if (dashes == end) return parse_words(argc, argv);
  Parsed parsed = parse_words(static_cast<int>(dashes - argv), argv);
  if (!parsed.arguments || !takes_command(*parsed.arguments)) return parse_words(argc, argv);
  parsed.arguments->command.assign(dashes + 1, end);
  return parsed;
}

}  // namespace client::ctl
