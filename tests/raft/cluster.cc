#include "tests/raft/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "raft/names.h"

namespace raft::testing {

Cluster::Cluster(std::uint64_t size, std::uint64_t seed, void (*tune)(Options& options))
    : tune_(tune), seed_(seed) {
  Configuration configuration;
  for (std::uint64_t id = 1; id <= size; ++id) configuration.voters.push_back({MemberId(id), {}});
  for (std::uint64_t id = 1; id <= size; ++id) {
    Node& node = nodes_[id];
    node.options.self = MemberId(id);
    node.options.incarnation = Incarnation(100 + id);
    if (tune != nullptr) tune(node.options);
    node.disk.first_configuration = configuration;
  }
  for (std::uint64_t id = 1; id <= size; ++id) open(id);
}

void Cluster::open(std::uint64_t id) {
  Node& node = nodes_.at(id);
  const std::uint64_t epoch = ++epochs_[id];
  node.options.opening = Opening{epoch, id * 1000 + epoch + 500 * roll_backs_[id]};
  node.options.seed = seed_ * 7919 + id * 101 + epoch;
  reconcile(node);
  Recovered recovered;
  recovered.hard_state = node.disk.hard_state;
  recovered.ordinal = node.disk.ordinal;
  recovered.first = node.disk.first;
  recovered.previous_term = node.disk.previous_term;
  recovered.previous_hash = node.disk.previous_hash;
  for (const EntryPtr& entry : node.disk.entries) {
    recovered.metas.push_back(
        {entry->term, entry->hash, static_cast<std::uint32_t>(entry->size_bytes())});
    if (entry->index > node.disk.applied) recovered.entries.push_back(entry);
  }
  recovered.applied = node.disk.applied;
  recovered.configuration = node.disk.first_configuration;
  for (const EntryPtr& entry : node.applied_entries) {
    recovered.applied_time = entry->time;
    if (entry->kind != EntryKind::kConfiguration) continue;
    recovered.configuration = *decode_configuration(entry->payload);
  }
  recovered.quarantined = node.disk.quarantined;
  recovered.quarantine_reason = node.disk.quarantine_reason;
  node.core = std::make_unique<Core>(node.options, std::move(recovered));
}

/// DESIGN section 6, rule 3: where the log ends below what was applied, or disagrees with it, the
/// log restarts there.
void Cluster::reconcile(Node& node) {
  node.applied_entries.resize(node.disk.applied.value);
  if (node.applied_entries.empty()) return;
  const Entry& applied = *node.applied_entries.back();
  Disk& disk = node.disk;
  const Index last(disk.first.value + disk.entries.size() - 1);
  if (applied.index.next() < disk.first) return;
  const ChainHash found = applied.index.next() == disk.first ? disk.previous_hash
                          : applied.index <= last ? disk.entries[applied.index - disk.first]->hash
                                                  : ChainHash();
  if (applied.index <= last && found == applied.hash) return;
  disk.entries.clear();
  disk.first = applied.index.next();
  disk.previous_term = applied.term;
  disk.previous_hash = applied.hash;
}

std::vector<std::string> Cluster::take_lines() {
  return std::exchange(lines_, {});
}

void Cluster::line(std::uint64_t id, const std::string& text) {
  lines_.push_back(std::to_string(id) + "  " + text);
}

// ---- Outputs ----

namespace {

std::string describe(const PersistRequest& request) {
  std::string text = "persist " + show(request.ordinal) + " term=" + show(request.term);
  if (request.hard_state) {
    text += " hard-state=" + show(request.hard_state->term) + "/" +
            (request.hard_state->vote ? show(request.hard_state->vote) : "-");
  }
  if (request.end_quarantine) text += " end-quarantine";
  if (request.restart) text += " restart=" + show(request.restart->index);
  if (request.truncate_from) text += " truncate=" + show(*request.truncate_from);
  if (!request.entries.empty()) {
    text += " entries=[" + show(request.entries.front()->index) + ".." +
            show(request.entries.back()->index) + "]";
  }
  return text;
}

std::string describe(const ProposalOutcome& outcome) {
  std::string text =
      "proposal " + std::to_string(outcome.id) + " " + std::string(base::traits(outcome.code).name);
  if (!outcome.detail.empty()) text += ": " + outcome.detail;
  if (outcome.index) text += " at " + show(outcome.index) + "/" + show(outcome.term);
  return text;
}

std::string describe(const ReadOutcome& outcome) {
  std::string text =
      "read " + std::to_string(outcome.id) + " " + std::string(base::traits(outcome.code).name);
  if (outcome.code == base::Code::kOk) text += " at " + show(outcome.index);
  return text;
}

}  // namespace

void Cluster::take(std::uint64_t id, const Output& output) {
  if (keep_lines_) add_lines(id, output);
  Node& node = nodes_.at(id);
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(node.trace, output.trace);
  append(node.writes, output.persist);
  append(network_, output.send);
  append(node.deferred, output.send_once_persisted);
  append(node.loads, output.loads);
  node.loads_asked += output.loads.size();
  append(node.applies, output.apply);
  append(node.snapshot_reads, output.snapshot_reads);
  for (const MemberId peer : output.snapshot_drops) node.snapshots.erase(peer.value);
  append(node.snapshot_stores, output.snapshot_stores);
  if (output.install_snapshot) {
    EXPECT_FALSE(node.install.has_value());
    node.install = output.install_snapshot;
  }
  append(node.outcomes, output.outcomes);
  for (const ReadOutcome& outcome : output.reads) {
    EXPECT_FALSE(node.reads.contains(outcome.id)) << "a read was answered twice";
    node.reads[outcome.id] = outcome;
  }
  if (output.quarantine) {
    node.quarantines.push_back(*output.quarantine);
    node.disk.quarantined = true;
    node.disk.quarantine_reason = *output.quarantine;
  }
}

/// One line for each thing that came out.
void Cluster::add_lines(std::uint64_t id, const Output& output) {
  for (const TraceEvent& event : output.trace) line(id, to_string(event));
  for (const PersistRequest& request : output.persist) line(id, describe(request));
  for (const Message& message : output.send) line(id, "send " + to_string(message));
  for (const DeferredMessage& deferred : output.send_once_persisted) {
    line(id, "after " + show(deferred.after) + " send " + to_string(deferred.message));
  }
  for (const LoadRequest& load : output.loads) {
    line(id, "load " + show(load.from) + ".." + show(load.to) + " for " + show(load.peer));
  }
  if (!output.apply.empty()) {
    line(id, "apply [" + show(output.apply.front()->index) + ".." +
                 show(output.apply.back()->index) + "]");
  }
  for (const SnapshotReadRequest& read : output.snapshot_reads) {
    line(id, "read snapshot " + (read.index ? show(read.index) : "anew") + " chunk " +
                 std::to_string(read.chunk) + " for " + show(read.peer));
  }
  for (const MemberId peer : output.snapshot_drops) line(id, "drop snapshot for " + show(peer));
  for (const SnapshotStoreRequest& store : output.snapshot_stores) {
    line(id, "store snapshot " + show(store.snapshot.index) + " chunk " +
                 std::to_string(store.chunk) + (store.done ? " done" : ""));
  }
  if (output.install_snapshot) {
    line(id, "install snapshot " + show(output.install_snapshot->index));
  }
  for (const ProposalOutcome& outcome : output.outcomes) line(id, describe(outcome));
  for (const ReadOutcome& outcome : output.reads) line(id, describe(outcome));
  if (output.quarantine) line(id, "quarantine: " + *output.quarantine);
}

Output Cluster::step(std::uint64_t id, Input input) {
  Output output = core(id).step(std::move(input));
  take(id, output);
  return output;
}

void Cluster::tick(std::uint64_t id, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) step(id, Tick{1});
}

// ---- Network ----

void Cluster::inject(const Message& message) {
  const auto found = nodes_.find(message.to.value);
  if (found != nodes_.end() && found->second.core != nullptr) {
    step(message.to.value, Receive{message});
  }
}

std::size_t Cluster::deliver() {
  if (network_.empty()) return 0;
  const std::deque<Message> batch = std::exchange(network_, {});
  for (const Message& message : batch) {
    if (cut_links_.contains({message.from.value, message.to.value})) continue;
    inject(message);
  }
  return batch.size();
}

void Cluster::isolate(std::uint64_t id) {
  for (const auto& [other, node] : nodes_) {
    if (other == id) continue;
    cut(id, other);
    cut(other, id);
  }
}

// ---- Disk ----

void Cluster::persist_silently(std::uint64_t id, std::size_t count) {
  Node& node = nodes_.at(id);
  for (std::size_t i = 0; i < count; ++i) {
    const PersistRequest& request = node.writes.front();
    node.disk.ordinal = request.ordinal;
    if (request.hard_state) node.disk.hard_state = *request.hard_state;
    if (request.end_quarantine) node.disk.quarantined = false;
    if (request.restart) {
      node.disk.entries.clear();
      node.disk.first = request.restart->index.next();
      node.disk.previous_term = request.restart->term;
      node.disk.previous_hash = request.restart->hash;
    }
    if (request.truncate_from) {
      node.disk.entries.resize(*request.truncate_from - node.disk.first);
    }
    for (const EntryPtr& entry : request.entries) {
      CHECK(entry->index == node.disk.first + node.disk.entries.size(), "a hole in the log");
      node.disk.entries.push_back(entry);
    }
    node.writes.pop_front();
  }
}

void Cluster::persist(std::uint64_t id, std::size_t count) {
  Node& node = nodes_.at(id);
  count = std::min(count, node.writes.size());
  if (count == 0) return;
  persist_silently(id, count);
  const Ordinal done = node.disk.ordinal;
  step(id, Persisted{done});
  std::deque<DeferredMessage> rest;
  for (DeferredMessage& each : std::exchange(node.deferred, {})) {
    if (each.after <= done) {
      network_.push_back(each.message);
    } else {
      rest.push_back(each);
    }
  }
  node.deferred = std::move(rest);
}

void Cluster::apply(std::uint64_t id) {
  Node& node = nodes_.at(id);
  if (node.applies.empty()) return;
  for (const EntryPtr& entry : node.applies) {
    CHECK(entry->index.value == node.applied_entries.size() + 1, "in order, without a gap");
    node.applied_entries.push_back(entry);
  }
  node.applies.clear();
  if (!node.lazy_flush) flush(id);
  step(id, Applied{Index(node.applied_entries.size())});
}

void Cluster::flush(std::uint64_t id) {
  Node& node = nodes_.at(id);
  node.disk.applied = Index(node.applied_entries.size());
}

void Cluster::serve_loads(std::uint64_t id) {
  Node& node = nodes_.at(id);
  if (node.loads.empty()) return;
  for (const LoadRequest& load : std::exchange(node.loads, {})) {
    Loaded loaded{load.peer, load.from, {}};
    std::size_t bytes = 0;
    const Index end = node.disk.first + node.disk.entries.size();
    for (Index i = load.from; i >= node.disk.first && i <= load.to && i < end; i = i.next()) {
      if (bytes > load.limit_bytes) break;
      loaded.entries.push_back(node.disk.entries[i - node.disk.first]);
      bytes += loaded.entries.back()->size_bytes();
    }
    step(id, loaded);
  }
}

// ---- Membership ----

void Cluster::join(std::uint64_t id) {
  CHECK(!nodes_.contains(id), "a new member");
  Node& node = nodes_[id];
  node.options.self = MemberId(id);
  node.options.incarnation = Incarnation(100 + id);
  if (tune_ != nullptr) tune_(node.options);
  open(id);
}

std::uint64_t Cluster::change(std::uint64_t id, const Configuration& next) {
  const std::uint64_t proposal = next_id_++;
  step(id, ChangeMembership{proposal, status(id).configuration, next});
  return proposal;
}

// ---- Snapshots ----

namespace {

/// Entries of the state in one chunk.
constexpr std::uint64_t kChunkEntries = 3;

}  // namespace

void Cluster::read_snapshot(std::uint64_t id, const SnapshotReadRequest& request) {
  Node& node = nodes_.at(id);
  if (!request.index) node.snapshots[request.peer.value] = node.applied_entries;
  const auto found = node.snapshots.find(request.peer.value);
  SnapshotRead read;
  read.peer = request.peer;
  read.chunk = request.chunk;
  if (found != node.snapshots.end() && !found->second.empty()) {
    const std::vector<EntryPtr>& state = found->second;
    const Entry& last = *state.back();
    Configuration configuration = node.disk.first_configuration;
    for (const EntryPtr& entry : state) {
      if (entry->kind != EntryKind::kConfiguration) continue;
      configuration = *decode_configuration(entry->payload);
    }
    read.snapshot = {last.index, last.term, last.hash, last.time, encode(configuration)};
    const std::uint64_t from = request.chunk * kChunkEntries;
    const std::uint64_t to = std::min(from + kChunkEntries, std::uint64_t{state.size()});
    CHECK(from < state.size(), "a chunk that the snapshot does not have");
    read.done = to == state.size();
    for (std::uint64_t i = from; i < to; ++i) entries_ever_[state[i]->hash.value] = state[i];
    std::string text;
    for (std::uint64_t i = from; i < to; ++i) text += std::to_string(state[i]->hash.value) + " ";
    read.data = std::make_shared<const std::string>(text);
  }
  step(id, read);
}

void Cluster::store_snapshot(std::uint64_t id, const SnapshotStoreRequest& request) {
  Node& node = nodes_.at(id);
  if (request.chunk == 0) node.incoming.clear();
  EXPECT_EQ(node.incoming.size(), request.chunk * kChunkEntries) << "a chunk out of order";
  std::istringstream words(*request.data);
  for (std::uint64_t hash = 0; words >> hash;) node.incoming.push_back(entries_ever_.at(hash));
  step(id, SnapshotStored{request.id, true});
}

void Cluster::install_snapshot(std::uint64_t id) {
  Node& node = nodes_.at(id);
  const SnapshotMeta meta = *std::exchange(node.install, std::nullopt);
  CHECK(!node.incoming.empty() && node.incoming.back()->index == meta.index, "the whole of it");
  node.applied_entries = std::exchange(node.incoming, {});
  flush(id);
  step(id, SnapshotInstalled{meta});
}

void Cluster::serve_snapshots(std::uint64_t id) {
  Node& node = nodes_.at(id);
  if (node.snapshot_reads.empty() && node.snapshot_stores.empty() && !node.install) return;
  for (const auto& each : std::exchange(node.snapshot_reads, {})) read_snapshot(id, each);
  for (const auto& each : std::exchange(node.snapshot_stores, {})) store_snapshot(id, each);
  if (node.install && node.applies.empty()) install_snapshot(id);
}

void Cluster::crash(std::uint64_t id) {
  Node& node = nodes_.at(id);
  node.snapshot_reads.clear();
  node.snapshot_stores.clear();
  node.snapshots.clear();
  node.incoming.clear();
  node.install.reset();
  node.core.reset();
  node.writes.clear();
  node.deferred.clear();
  node.applies.clear();
  node.loads.clear();
}

void Cluster::restart(std::uint64_t id) {
  if (nodes_.at(id).core != nullptr) crash(id);
  open(id);
}

void Cluster::roll_back(std::uint64_t id, const Disk& disk, std::uint64_t epoch) {
  crash(id);
  nodes_.at(id).disk = disk;
  nodes_.at(id).applied_entries.resize(disk.applied.value);
  epochs_[id] = epoch;
  ++roll_backs_[id];
}

void Cluster::wipe(std::uint64_t id) {
  crash(id);
  Node& node = nodes_.at(id);
  const Configuration initial = node.disk.first_configuration;
  node.disk = Disk();
  node.disk.first_configuration = initial;
  node.options.incarnation = Incarnation(node.options.incarnation.value + 1000);
  epochs_[id] = 0;
}

void Cluster::cut_log(std::uint64_t id, Index through) {
  Disk& disk = nodes_.at(id).disk;
  CHECK(through >= disk.first);
  const std::size_t count = through.next() - disk.first;
  disk.previous_term = disk.entries[count - 1]->term;
  disk.previous_hash = disk.entries[count - 1]->hash;
  disk.entries.erase(disk.entries.begin(), disk.entries.begin() + static_cast<long>(count));
  disk.first = through.next();
  step(id, LogCut{through});
}

// ---- Running ----

void Cluster::settle() {
  for (int round = 0; round < 1000; ++round) {
    bool moved = deliver() > 0;
    for (auto& [id, node] : nodes_) {
      if (node.core == nullptr) continue;
      moved |= (!node.writes.empty() && !node.hang_log) ||
               (!node.applies.empty() && !node.hang_apply) ||
               (!node.loads.empty() && !node.hang_loads);
      if (!node.hang_snapshots) {
        moved |= !node.snapshot_reads.empty() || !node.snapshot_stores.empty() || node.install;
        serve_snapshots(id);
      }
      if (!node.hang_log) persist(id);
      if (!node.hang_apply) apply(id);
      if (!node.hang_loads) serve_loads(id);
    }
    if (!moved) return;
  }
  FAIL() << "the cluster does not come to rest";
}

void Cluster::run(std::uint32_t ticks) {
  for (std::uint32_t i = 0; i < ticks; ++i) {
    for (auto& [id, node] : nodes_) {
      if (node.core != nullptr) step(id, Tick{1});
    }
    settle();
  }
}

void Cluster::heal_and_tell(std::uint64_t id) {
  heal();
  for (const auto& [other, node] : nodes_) {
    if (other == id) continue;
    step(other, LinkUp{MemberId(id)});
    step(id, LinkUp{MemberId(other)});
  }
}

void Cluster::creep(int i) {
  deliver();
  for (const auto& [id, node] : nodes_) {
    if (node.core == nullptr) continue;
    if (i % 10 == 0) tick(id);
    persist(id);
    apply(id);
    serve_loads(id);
    serve_snapshots(id);
  }
}

std::uint64_t Cluster::elect() {
  for (int i = 0; i < 600; ++i) {
    run(1);
    const std::uint64_t id = leader();
    if (id != 0 && status(id).can_read) return id;
  }
  ADD_FAILURE() << "nobody was elected";
  return 0;
}

std::uint64_t Cluster::leader() const {
  std::uint64_t best = 0;
  Term best_term;
  for (const auto& [id, node] : nodes_) {
    if (node.core == nullptr) continue;
    const CoreStatus status = node.core->status();
    if (status.role != Role::kLeader || status.term < best_term) continue;
    best = id;
    best_term = status.term;
  }
  return best;
}

std::uint64_t Cluster::propose(std::uint64_t id, const std::string& payload) {
  const std::uint64_t proposal = next_id_++;
  step(id, Propose{{Proposal{proposal, HybridTime(), payload}}});
  return proposal;
}

std::uint64_t Cluster::read(std::uint64_t id) {
  const std::uint64_t barrier = next_id_++;
  step(id, ReadBarrier{{barrier}});
  return barrier;
}

bool Cluster::has_traced(std::uint64_t id, TraceKind kind) const {
  const std::vector<TraceEvent>& trace = nodes_.at(id).trace;
  return std::any_of(trace.begin(), trace.end(),
                     [&](const TraceEvent& event) { return event.kind == kind; });
}

}  // namespace raft::testing
