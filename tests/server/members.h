// A few replicas with scripted ports on one thread: what the ports were asked for is recorded and
// completed when the test says so.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "server/replica.h"

namespace server::testing {

/// One replica and its ports.
class Member : public LogPort,
               public ApplyPort,
               public SnapshotPort,
               public Transport,
               public ClientPort,
               public TraceSink {
 public:
  Member(base::MemberId id, const raft::Configuration& configuration, ReplicaOptions options);

  Replica& replica() { return *replica_; }
  ReplicaStatus status() const { return replica_->status(); }
  bool leads() const { return status().core.role == raft::Role::kLeader; }

  /// Completes what the ports were asked for, oldest first, in one go; false if there was nothing.
  bool complete_log();
  bool complete_apply();

  // LogPort
  void append(raft::PersistRequest request) override { persists.push_back(std::move(request)); }
  void load(raft::LoadRequest request) override { loads.push_back(request); }
  void cut(base::Index through, base::Term term, base::ChainHash hash) override {
    cuts.push_back({through, term, hash});
  }
  void quarantine(std::string reason) override { quarantines.push_back(std::move(reason)); }
  std::uint64_t size_bytes() const override { return log_bytes; }
  // ApplyPort
  void apply(std::vector<raft::EntryPtr> entries, base::Ordinal) override;
  void read(std::uint64_t request, kv::Transaction) override;
  void flush() override { ++flushes; }
  base::Index durable_applied() const override { return durable; }
  // SnapshotPort
  void read(raft::SnapshotReadRequest request) override { snapshot_reads.push_back(request); }
  void drop(base::MemberId peer) override { snapshot_drops.push_back(peer); }
  void store(raft::SnapshotStoreRequest request) override {
    snapshot_stores.push_back(std::move(request));
  }
  void install(raft::SnapshotMeta snapshot) override { installs.push_back(std::move(snapshot)); }
  // Transport, ClientPort, TraceSink
  void send(raft::Message message) override { sent.push_back(std::move(message)); }
  void members_changed(const raft::Configuration& now) override { members = now; }
  void finish(std::uint64_t request, RequestOutcome outcome) override;
  void trace(const raft::TraceEvent&) override {}

  struct Cut {
    base::Index through;
    base::Term term;
    base::ChainHash hash;
  };
  struct Read {
    std::uint64_t request;
    base::Index handed;  // what apply had been given when it was given the read
  };
  std::deque<raft::PersistRequest> persists;
  std::vector<raft::PersistRequest> persisted;  // completed ones
  std::vector<raft::LoadRequest> loads;
  std::vector<Cut> cuts;
  std::vector<std::string> quarantines;
  std::deque<std::variant<std::vector<raft::EntryPtr>, Read>> applies;
  std::vector<Read> reads;  // all that were given to apply
  std::vector<raft::SnapshotReadRequest> snapshot_reads;
  std::vector<base::MemberId> snapshot_drops;
  std::vector<raft::SnapshotStoreRequest> snapshot_stores;
  std::vector<raft::SnapshotMeta> installs;
  std::deque<raft::Message> sent;
  raft::Configuration members;  // as last told
  std::map<std::uint64_t, RequestOutcome> finished;
  std::optional<health::ClockVerdict> agreed;  // as it is told with each tick
  std::uint64_t log_bytes = 0;
  base::Index durable;
  int flushes = 0;
  bool log_hangs = false;
  bool apply_hangs = false;

 private:
  base::Index handed_;
  kv::Position position_;
  std::unique_ptr<Replica> replica_;
};

/// Members whose messages travel at once, and whose clocks are one.
class Members {
 public:
  explicit Members(std::size_t count, ReplicaOptions options = {});

  Member& at(std::size_t i) { return *members_[i]; }
  std::size_t size() const { return members_.size(); }
  /// Moves time on by one tick of 10 ms and lets everything complete.
  void tick();
  /// Lets everything complete that can without time.
  void settle();
  /// Ticks until somebody leads and can read; the test fails after 500 ticks.
  Member& elect();
  /// Cuts a member off, or lets it back in.
  void isolate(Member& member, bool isolated);

  std::uint64_t steady_ms = 1'000;
  std::uint64_t wall_ms = 1'700'000'000'000;

 private:
  bool deliver();

  std::vector<std::unique_ptr<Member>> members_;
  std::map<base::MemberId, Member*> by_id_;
  std::map<const Member*, bool> isolated_;
};

/// Any that does not lead.
Member& follower_of(Members& members, const Member& leader);
base::MemberId id_of(Member& member);
/// Of a request that ended.
base::Code code_of(const Member& member, std::uint64_t request);
/// The third member remembers more of the follower than it has.
void put_into_quarantine(Members& members, Member& leader, Member& follower);

}  // namespace server::testing
