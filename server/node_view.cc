// The families of /metrics. Door thread.
#include "server/node_view.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "server/clock.h"
#include "server/log_thread.h"

namespace server {
namespace {

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

void raft_metrics(MetricsText& text, const NodeView& view, const ReplicaStatus& status) {
  const raft::CoreStatus& core = status.core;
  const std::uint64_t loop_ms = view.stamps->loop.at_ms.load(std::memory_order_relaxed);
  const bool leads = role_name(core, loop_ms, boot_ms(), view.readiness) == "leader";
  text.gauge("holdfast_server_has_leader", "1 if a leader is known.", core.leader ? 1 : 0);
  text.gauge("holdfast_server_is_leader", "1 if this member leads.", leads ? 1 : 0);
  text.counter("holdfast_server_leader_changes_seen_total", "Changes of leader seen.",
               number(core.leader_changes));
  text.gauge("holdfast_server_stalled", "1 if work is pending here and does not complete.",
             core.stalled ? 1 : 0);
  text.gauge("holdfast_server_quarantined", "1 if this member lost synced data.",
             core.quarantined ? 1 : 0);
  text.gauge("holdfast_raft_term", "Current term.", number(core.term.value));
  text.gauge("holdfast_raft_first_index", "First index in the log.", number(core.first.value));
  text.gauge("holdfast_raft_last_index", "Last index in the log.", number(core.last.value));
  text.gauge("holdfast_raft_durable_index", "Last index that is synced here.",
             number(core.durable.value));
  text.gauge("holdfast_raft_commit_index", "Commit index.", number(core.commit.value));
  text.gauge("holdfast_raft_applied_index", "Last index applied.",
             number(status.position.applied.value));
  text.counter("holdfast_server_applied_entries_total", "Entries applied since the start.",
               number(status.applied_entries));
  text.gauge("holdfast_server_requests_pending", "Requests that are not answered yet.",
             number(status.pending_requests));
  text.counter("holdfast_server_proposals_total", "Writes proposed.", number(status.proposals));
  text.counter("holdfast_server_proposals_failed_total", "Proposed writes that failed.",
               number(status.failed_proposals));
  text.counter("holdfast_server_reads_failed_total", "Reads that failed.",
               number(status.failed_reads));
}

void peer_metrics(MetricsText& text, const NodeView& view, const NodeStatus& status) {
  using net::peer::LinkCounters;
  const std::pair<const char*, std::uint64_t LinkCounters::*> families[] = {
      {"holdfast_network_peer_sent_messages_total", &LinkCounters::sent},
      {"holdfast_network_peer_dropped_messages_total", &LinkCounters::dropped},
      {"holdfast_network_peer_received_messages_total", &LinkCounters::received},
      {"holdfast_network_peer_refused_messages_total", &LinkCounters::refused}};
  for (const auto& [name, member] : families) {
    text.family(name, "Messages of this peer's links.", "counter");
    for (const auto& [id, counters] : status.links) {
      text.sample(name, {{"peer", base::to_hex(id.value)}}, number(counters.*member));
    }
  }
  text.family("holdfast_network_peer_up", "1 if the liveness connection stands.", "gauge");
  for (const auto& peer : status.replica.core.peers) {
    text.sample("holdfast_network_peer_up", {{"peer", base::to_hex(peer.id.value)}},
                peer.link_up ? 1 : 0);
  }
  text.family("holdfast_network_peer_silent_seconds", "Since anything was heard.", "gauge");
  for (const auto& peer : status.replica.core.peers) {
    text.sample("holdfast_network_peer_silent_seconds", {{"peer", base::to_hex(peer.id.value)}},
                number(peer.silent_ticks) * view.readiness.tick_ms / 1000);
  }
}

double busy_seconds(const Stamp& stamp) {
  const std::uint64_t since = stamp.at_ms.load(std::memory_order_relaxed);
  const std::uint64_t now = boot_ms();
  return since == 0 || now < since ? 0 : number(now - since) / 1000;
}

void disk_metrics(MetricsText& text, const NodeView& view) {
  text.histogram("holdfast_disk_wal_fsync_duration_seconds",
                 "A write of the log with its one sync.", view.append_times->whole.read());
  text.counter("holdfast_disk_wal_syncs_total", "Syncs of the log.", number(view.log->syncs()));
  text.gauge("holdfast_disk_wal_size_bytes", "Bytes of entries in the log.",
             number(view.log->size_bytes()));
  text.gauge("holdfast_disk_free_bytes", "Room on the volume of the data directory.",
             number(view.space->free_bytes()));
  text.gauge("holdfast_disk_reserve_bytes", "Below it only deletes are admitted.",
             number(view.space->reserve_bytes()));
  text.family("holdfast_thread_busy_seconds", "How long the current piece of work has taken.",
              "gauge");
  text.sample("holdfast_thread_busy_seconds", {{"thread", "log"}}, busy_seconds(view.stamps->log));
  text.sample("holdfast_thread_busy_seconds", {{"thread", "apply"}},
              busy_seconds(view.stamps->apply));
  text.sample("holdfast_thread_busy_seconds", {{"thread", "disk"}},
              busy_seconds(view.stamps->disk));
}

void door_metrics(MetricsText& text, const NodeView& view, const DoorCounters& door) {
  text.counter("holdfast_door_calls_total", "Calls of clients.", number(door.calls));
  text.counter("holdfast_door_refused_calls_total", "Calls refused before anything was proposed.",
               number(door.refused_calls));
  text.counter("holdfast_door_timed_out_calls_total", "Calls that missed their deadline.",
               number(door.timed_out_calls));
  text.gauge("holdfast_door_connections", "Open client connections.", number(door.connections));
  text.counter("holdfast_door_http_requests_total", "HTTP requests.", number(door.http_requests));
  text.gauge("holdfast_door_watches", "Watches of clients.", number(door.watches));
  text.counter("holdfast_door_watch_events_total", "Changes sent to watches.",
               number(door.watch_events));
  const ReplicaStatus replica = view.board->read()->replica;
  text.gauge("holdfast_server_leases", "Leases in force.", number(replica.leases));
  text.counter("holdfast_server_expired_leases_total",
               "Leases that ended because this member, as the leader, saw their time pass.",
               number(replica.expired_leases));
  text.gauge("holdfast_server_sessions", "Open client sessions.", number(view.sessions()));
  text.counter("holdfast_log_lines_dropped_total", "Log lines dropped for a slow reader.",
               number(view.lines->dropped()));
  text.counter("holdfast_log_lines_suppressed_total", "Log lines left out as repeats.",
               number(view.lines->suppressed()));
}

/// What this member finds of the others, and of itself.
void observer_metrics(MetricsText& text, const NodeView& view, const ObserverReport& report) {
  text.family("holdfast_health_verdict", "1 while this member finds that of a member or a link.",
              "gauge");
  for (const StandingVerdict& each : report.verdicts) {
    const health::Verdict& verdict = each.verdict;
    text.sample("holdfast_health_verdict",
                {{"verdict", std::string(health::name_of(verdict.kind))},
                 {"member", known_member(view, verdict.subject).name},
                 {"other", known_member(view, verdict.other).name}},
                1);
  }
  if (report.rows.empty()) return;
  const health::Row& own = report.rows.front().row;
  text.gauge("holdfast_clock_agreed",
             "1 if a majority of the members' clocks, this one among them, agree.",
             own.clock == health::ClockState::kAgreed ? 1 : 0);
  text.gauge("holdfast_clock_offset_seconds",
             "This clock minus the time that a majority agrees on; 0 within it, or without one.",
             static_cast<double>(own.clock_off_ms) / 1000);
  text.gauge("holdfast_scrub_index",
             "The entry after which this member last took digests of its state; 0: none yet.",
             static_cast<double>(own.scrub_index));
  text.gauge("holdfast_health_slow_score", "Of the own disk: 0 is well, 100 is slow.", own.score);
  text.family("holdfast_network_peer_phi", "How unusual the silence of a peer is.", "gauge");
  for (const health::LinkView& link : own.links) {
    text.sample("holdfast_network_peer_phi", {{"peer", base::to_hex(link.peer.value)}}, link.phi);
  }
  text.family("holdfast_network_peer_clock_offset_seconds",
              "A peer's clock minus this one's, by the round trip of the least delay.", "gauge");
  for (const auto& [peer, offset] : report.clock_offsets) {
    text.sample("holdfast_network_peer_clock_offset_seconds", {{"peer", base::to_hex(peer.value)}},
                static_cast<double>(offset.offset_us) / 1'000'000);
  }
  text.family("holdfast_network_peer_round_trip_seconds", "The median of the last ones.", "gauge");
  for (const health::LinkView& link : own.links) {
    if (!link.round_trip_ms) continue;
    text.sample("holdfast_network_peer_round_trip_seconds",
                {{"peer", base::to_hex(link.peer.value)}}, *link.round_trip_ms / 1000);
  }
}

void fault_metrics(MetricsText& text, const NodeView& view) {
  text.family("holdfast_fault_active", "1 while a fault is injected.", "gauge");
  if (!view.config->allow_faults) return;
  std::map<std::string_view, bool> active;
  for (const FaultState& fault : view.faults->list({})) active[fault.name] |= fault.on;
  for (const auto& [name, on] : active) {
    text.sample("holdfast_fault_active", {{"fault", std::string(name)}}, on ? 1 : 0);
  }
}

void health_metrics(MetricsText& text, const NodeView& view) {
  text.family("holdfast_health_check", "1 if the check passes.", "gauge");
  for (const HealthCheck& check : checks_of(view)) {
    text.sample("holdfast_health_check", {{"type", "readyz"}, {"name", check.name}},
                check.ok ? 1 : 0);
  }
  text.family("holdfast_build_info", "The version, always 1.", "gauge");
  text.sample("holdfast_build_info", {{"version", HOLDFAST_VERSION}}, 1);
}

double open_files() {
  double count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count - 3;  // ".", ".." and the one that lists
}

void process_metrics(MetricsText& text) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  text.counter("process_cpu_seconds_total", "User and system CPU time.",
               seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::ifstream statm("/proc/self/statm");
  std::uint64_t virtual_pages = 0, resident_pages = 0;
  statm >> virtual_pages >> resident_pages;
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  text.gauge("process_virtual_memory_bytes", "Virtual memory.", number(virtual_pages) * page);
  text.gauge("process_resident_memory_bytes", "Resident memory.", number(resident_pages) * page);
  text.gauge("process_open_fds", "Open file descriptors.", open_files());
  static const double start_seconds = number(wall_ms()) / 1000;
  text.gauge("process_start_time_seconds", "About when the process started, since 1970.",
             start_seconds);
}

}  // namespace

std::vector<HealthCheck> checks_of(const NodeView& view) {
  const auto status = view.board->read();
  const std::uint64_t loop_ms = view.stamps->loop.at_ms.load(std::memory_order_relaxed);
  auto checks = readiness(status->replica, loop_ms, boot_ms(), view.readiness);
  HealthCheck gray{"gray", true, ""};
  for (const StandingVerdict& each : status->observer.verdicts) {
    const health::Verdict& verdict = each.verdict;
    if (verdict.kind != health::VerdictKind::kGray || verdict.subject != view.config->self)
      continue;
    gray = {"gray", false, verdict.evidence};
  }
  checks.push_back(gray);
  const std::string complaint = probe_complaint(view.probes->read(), boot_ms(), view.probe);
  checks.push_back({"probe", complaint.empty(), complaint});
  return checks;
}

std::string node_metrics(const NodeView& view, const DoorCounters& door) {
  const auto status = view.board->read();
  MetricsText text;
  raft_metrics(text, view, status->replica);
  peer_metrics(text, view, *status);
  disk_metrics(text, view);
  door_metrics(text, view, door);
  health_metrics(text, view);
  observer_metrics(text, view, status->observer);
  fault_metrics(text, view);
  process_metrics(text);
  return text.text();
}

}  // namespace server
