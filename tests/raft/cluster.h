// A few cores with memory disks and a network in one object, driven by hand: the bench of the unit
// tests and of the golden scripts. The simulator has its own, with the whole Replica.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "raft/core.h"

namespace raft::testing {

/// What survives a crash.
struct Disk {
  HardState hard_state;
  Ordinal ordinal;
  std::vector<EntryPtr> entries;  // from index `first`
  Index first = Index(1);
  Term previous_term;
  ChainHash previous_hash;
  Index applied;  // of the state engine, as flushed
  Configuration first_configuration;
  bool quarantined = false;
  std::string quarantine_reason;
};

struct Node {
  Options options;
  Disk disk;
  std::unique_ptr<Core> core;         // null: crashed
  std::deque<PersistRequest> writes;  // asked for, not durable
  std::deque<DeferredMessage> deferred;
  std::deque<EntryPtr> applies;
  std::deque<LoadRequest> loads;
  bool hang_log = false;
  bool hang_apply = false;
  bool hang_loads = false;
  bool lazy_flush = false;  // the state is flushed by flush() only, not after each apply
  // What came out, in order.
  std::vector<EntryPtr> applied_entries;  // the state: every entry from 1 on
  std::map<std::uint64_t, ReadOutcome> reads;
  std::vector<ProposalOutcome> outcomes;
  std::vector<TraceEvent> trace;
  std::vector<std::string> quarantines;
  std::uint64_t loads_asked = 0;
  // Snapshots: a copy of the state for each peer; what came of one from a leader.
  std::deque<SnapshotReadRequest> snapshot_reads;
  std::deque<SnapshotStoreRequest> snapshot_stores;
  std::map<std::uint64_t, std::vector<EntryPtr>> snapshots;
  std::vector<EntryPtr> incoming;
  std::optional<SnapshotMeta> install;
  bool hang_snapshots = false;  // nothing of all that is served
};

/// Node ids are 1 .. size. Nothing moves by itself: each call says what happens.
class Cluster {
 public:
  /// `tune` changes the options of every node before it is opened.
  explicit Cluster(std::uint64_t size, std::uint64_t seed = 1,
                   void (*tune)(Options& options) = nullptr);

  Node& node(std::uint64_t id) { return nodes_.at(id); }
  Core& core(std::uint64_t id) { return *nodes_.at(id).core; }
  CoreStatus status(std::uint64_t id) { return core(id).status(); }
  std::uint64_t size() const { return nodes_.size(); }
  std::deque<Message>& network() { return network_; }
  /// Long runs need no lines.
  void keep_lines(bool keep) { keep_lines_ = keep; }
  /// One line an event since the last call: trace, messages, writes, answers.
  std::vector<std::string> take_lines();

  // Single steps.
  Output step(std::uint64_t id, Input input);
  void tick(std::uint64_t id, std::uint32_t count = 1);
  /// Delivers what is in the network now; what that causes stays there. Returns how many.
  std::size_t deliver();
  /// Delivers one message, whatever the links are.
  void inject(const Message& message);
  /// Makes every write of the node durable, or only the first `count`.
  void persist(std::uint64_t id, std::size_t count = ~std::size_t{0});
  /// What the disk does before a crash: the writes reach it and nobody hears of it.
  void persist_silently(std::uint64_t id, std::size_t count);
  void apply(std::uint64_t id);
  void flush(std::uint64_t id);
  void serve_loads(std::uint64_t id);
  void serve_snapshots(std::uint64_t id);

  // Links, in both directions or one.
  void cut(std::uint64_t from, std::uint64_t to) { cut_links_.insert({from, to}); }
  void isolate(std::uint64_t id);
  void heal() { cut_links_.clear(); }
  /// That, and both ends of each link of that member are told.
  void heal_and_tell(std::uint64_t id);

  /// A member that nobody knows yet and that knows nobody: it waits to be added.
  void join(std::uint64_t id);
  /// On the leader; returns the proposal's id.
  std::uint64_t change(std::uint64_t id, const Configuration& next);

  void crash(std::uint64_t id);
  /// Opens the node's disk again: a new epoch.
  void restart(std::uint64_t id);
  /// An old copy of the directory is put back: what is on the disk, and the epoch that it was
  /// opened in.
  void roll_back(std::uint64_t id, const Disk& disk, std::uint64_t epoch);
  /// A new, empty directory under the same id.
  void wipe(std::uint64_t id);
  void cut_log(std::uint64_t id, Index through);

  /// Messages, writes, loads and applies until nothing moves any more. Bounded.
  void settle();
  /// That, after each of `ticks` ticks of every node.
  void run(std::uint32_t ticks);
  /// The `i`th of many small steps: one delivery, and all that is asked of disks; a tick in ten.
  void creep(int i);
  /// Runs until someone leads and has an entry of its term committed. Fails the test otherwise.
  std::uint64_t elect();
  /// The leader of the highest term; 0 if there is none.
  std::uint64_t leader() const;
  std::uint64_t propose(std::uint64_t id, const std::string& payload);
  std::uint64_t read(std::uint64_t id);
  bool has_traced(std::uint64_t id, TraceKind kind) const;

 private:
  void take(std::uint64_t id, const Output& output);
  void add_lines(std::uint64_t id, const Output& output);
  void open(std::uint64_t id);
  void reconcile(Node& node);
  void read_snapshot(std::uint64_t id, const SnapshotReadRequest& request);
  void store_snapshot(std::uint64_t id, const SnapshotStoreRequest& request);
  void install_snapshot(std::uint64_t id);
  void line(std::uint64_t id, const std::string& text);

  std::map<std::uint64_t, Node> nodes_;
  std::map<std::uint64_t, std::uint64_t> epochs_;
  std::map<std::uint64_t, std::uint64_t> roll_backs_;
  std::map<std::uint64_t, EntryPtr> entries_ever_;  // by chain hash: what snapshots hold
  std::deque<Message> network_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cut_links_;
  std::vector<std::string> lines_;
  bool keep_lines_ = true;
  void (*tune_)(Options& options);
  std::uint64_t seed_;
  std::uint64_t next_id_ = 1;  // of proposals and reads
};

}  // namespace raft::testing
