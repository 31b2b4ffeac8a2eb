// Random walks over everything that can happen to a few members at once, with the promises of Raft
// checked at each step (Raft paper, figure 3). One seed, one walk; the whole Replica is walked by
// tests/sim.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include "base/random.h"
#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

struct Faults {
  bool crashes = false;
  bool stalls = false;
  bool cuts_log = false;
  bool cuts_deep = false;        // whoever lacks it: snapshots must help
  bool loses_state = false;      // a crash may take all of the state with it
  bool changes_members = false;  // members come, go, are replaced, and leadership is moved
  bool loses = false;  // a crash may take synced data with it, of a minority, and the node knows
};

class Walk {
 public:
  Walk(std::uint64_t seed, std::uint64_t size, Faults faults)
      : random_(seed), cluster_(size, seed, tune), faults_(faults) {
    cluster_.keep_lines(false);
    for (std::uint64_t id = 1; id <= size; ++id) cluster_.node(id).lazy_flush = true;
  }

  std::uint64_t committed() const { return committed_.size(); }
  std::uint64_t leaders() const { return leaders_.size(); }
  std::uint64_t reads() const { return reads_; }
  std::uint64_t snapshots() const { return snapshots_; }
  std::uint64_t changes() const { return changes_; }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      move();
      check();
    }
    recover();
  }

 private:
  // Short timeouts, so that a walk sees many elections; small windows and caches, so that they
  // fill.
  static void tune(Options& options) {
    options.heartbeat_ticks = 2;
    options.election_ticks = 8;
    options.check_quorum_ticks = 16;
    options.stall_ticks = 16;
    options.append_bytes = 200;
    options.window_messages = 4;
    options.window_bytes = 1000;
    options.cache_bytes = 400;
    options.uncommitted_bytes = 4000;
    options.unapplied_bytes = 4000;
  }

  std::uint64_t any() { return 1 + random_.below(cluster_.size()); }
  bool alive(std::uint64_t id) { return cluster_.node(id).core != nullptr; }

  void move() {
    const std::uint64_t id = any();
    const std::uint64_t what = random_.below(100);
    if (!alive(id)) {
      if (what < 10) cluster_.restart(id);
    } else if (what < 25) {
      cluster_.tick(id);
    } else if (what < 35) {
      disk(id);
    } else if (what < 40) {
      client(id);
    } else if (what < 44) {
      rare(id);
    } else if (what < 46 && faults_.changes_members) {
      change_members(id);
    }
    for (int i = 0; i < 2; ++i) network();
    if (faults_.changes_members && random_.chance(50)) replace();
  }

  /// Loss, duplication, reordering.
  void network() {
    auto& queue = cluster_.network();
    if (queue.empty()) return;
    const std::size_t at = random_.chance(4) ? random_.below(queue.size()) : 0;
    const Message message = queue[at];
    if (!random_.chance(30)) queue.erase(queue.begin() + static_cast<long>(at));
    if (random_.chance(12)) return;
    if (isolated_.contains(message.from.value) || isolated_.contains(message.to.value)) return;
    cluster_.inject(message);
  }

  void disk(std::uint64_t id) {
    Node& node = cluster_.node(id);
    if (!node.hang_log) cluster_.persist(id, 1 + random_.below(4));
    if (!node.hang_apply && random_.chance(2)) cluster_.apply(id);
    if (random_.chance(2)) cluster_.serve_loads(id);
    if (random_.chance(2)) cluster_.serve_snapshots(id);
    if (random_.chance(5)) cluster_.flush(id);
    if (faults_.cuts_log && random_.chance(5)) cut_log(id);
  }

  void cut_log(std::uint64_t id) {
    const Node& node = cluster_.node(id);
    const CoreStatus status = cluster_.status(id);
    const Index floor = faults_.cuts_deep ? status.cut_limit : status.cut_floor;
    const Index through = std::min({floor, status.applied, node.disk.applied});
    if (through >= node.disk.first && through < cluster_.status(id).durable) {
      cluster_.cut_log(id, through);
    }
  }

  void client(std::uint64_t id) {
    if (random_.chance(3)) {
      const std::uint64_t read = cluster_.read(id);
      floors_[read] = committed_.size();
    } else {
      cluster_.propose(id, std::string(random_.below(120), 'x') + std::to_string(++payloads_));
    }
  }

  void rare(std::uint64_t id) {
    const std::uint64_t what = random_.below(12);
    const std::uint64_t other = any();
    if (what == 0 && other != id) cluster_.step(id, LinkDown{MemberId(other)});
    if (what == 1 && other != id) cluster_.step(id, LinkUp{MemberId(other)});
    if (what == 2) cluster_.step(id, StepDown{"asked to"});
    if (what == 3) cluster_.step(id, Tick{9});
    if (what == 4) isolated_.insert(id);
    if (what >= 5 && what <= 6) isolated_.clear();
    if (what == 7 && faults_.crashes) crash(id);
    if (what == 8 && faults_.stalls) cluster_.node(id).hang_log = random_.chance(4);
    if (what == 9 && faults_.stalls) cluster_.node(id).hang_apply = random_.chance(4);
    if (what == 10 && faults_.stalls) {
      cluster_.step(id, SelfAssessment{!random_.chance(4), "the detectors say so"});
    }
  }

  static void insert(std::vector<Member>& members, const Member& member) {
    members.push_back(member);
    std::sort(members.begin(), members.end(),
              [](const Member& a, const Member& b) { return a.id < b.id; });
  }

  /// What an operator may ask of whoever says that it leads.
  void change_members(std::uint64_t id) {
    const CoreStatus status = cluster_.status(id);
    if (status.role != Role::kLeader || status.configuration.joint()) return;
    Configuration next = status.configuration;
    const std::uint64_t what = random_.below(6);
    if (what == 0) {
      cluster_.step(id, TransferLeadership{1'000'000 + ++payloads_, MemberId(any())});
      return;
    }
    if (what <= 2 && cluster_.size() < 9) {
      const std::uint64_t fresh = cluster_.size() + 1;
      cluster_.join(fresh);
      cluster_.node(fresh).lazy_flush = true;
      Member learner{MemberId(fresh)};
      learner.promote = !random_.chance(4);
      insert(next.learners, learner);
    } else {
      remove_some(next);
    }
    for (const Member& learner : status.configuration.learners) {
      if (!learner.incarnation || !random_.chance(6)) continue;
      std::erase_if(next.learners, [&](const Member& each) { return each.id == learner.id; });
    }
    cluster_.change(id, next);
    ++changes_;
  }

  /// One or two at once, so that the sets of voters differ widely; half of them to be replaced.
  void remove_some(Configuration& next) {
    for (std::uint64_t left = random_.between(1, 2); left > 0 && next.voters.size() > 2; --left) {
      const std::size_t at = random_.below(next.voters.size());
      const Member gone = next.voters[at];
      next.voters.erase(next.voters.begin() + static_cast<long>(at));
      if (random_.chance(2)) continue;
      Member learner{gone.id};
      learner.promote = true;
      learner.replaced = gone.incarnation;
      insert(next.learners, learner);
      replaced_.insert(gone.id.value);
    }
  }

  /// Whoever was replaced begins anew with an empty directory, once nobody counts on the old one.
  void replace() {
    const std::uint64_t leader = cluster_.leader();
    if (leader == 0) return;
    const CoreStatus status = cluster_.status(leader);
    if (!status.can_read || status.configuration_index > status.commit) return;
    for (const std::uint64_t id : std::set<std::uint64_t>(replaced_)) {
      const Member* member = status.configuration.find(MemberId(id));
      const Incarnation old = cluster_.node(id).options.incarnation;
      if (member == nullptr || member->incarnation || member->replaced != old) continue;
      cluster_.wipe(id);
      cluster_.node(id).applied_entries.clear();
      cluster_.node(id).disk.first_configuration = Configuration();
      applied_[id] = 0;
      cluster_.restart(id);
      replaced_.erase(id);
    }
  }

  void crash(std::uint64_t id) {
    Node& node = cluster_.node(id);
    cluster_.persist_silently(id, random_.below(node.writes.size() + 1));
    cluster_.crash(id);
    // Before the first entry binds the incarnations every voter is needed, and a lost one would be
    // missed.
    if (faults_.loses && committed_.size() > 1 && random_.chance(3)) lose(id);
    node.hang_log = node.hang_apply = false;
    if (faults_.loses_state && random_.chance(3) && others_have_their_states(id)) {
      node.disk.applied = Index();
    }
    applied_[id] = node.disk.applied.value;
  }

  /// With every state gone nobody could lead, and nothing short of a backup would help.
  bool others_have_their_states(std::uint64_t id) {
    for (std::uint64_t other = 1; other <= cluster_.size(); ++other) {
      const Disk& disk = cluster_.node(other).disk;
      if (other != id && disk.applied.next() < disk.first) return false;
    }
    return true;
  }

  void lose(std::uint64_t id) {
    // Whoever was made whole again may be the next to lose.
    std::erase_if(lost_, [&](std::uint64_t each) { return !cluster_.node(each).disk.quarantined; });
    lost_.insert(id);
    if (lost_.size() > (cluster_.size() - 1) / 2) {
      lost_.erase(id);
      return;
    }
    Disk& disk = cluster_.node(id).disk;
    disk.entries.resize(random_.below(disk.entries.size() + 1));
    if (random_.chance(2)) disk.hard_state = HardState();
    disk.ordinal = Ordinal();
    disk.quarantined = true;
    disk.quarantine_reason = "lost synced data";
  }

  void check() {
    for (std::uint64_t id = 1; id <= cluster_.size(); ++id) {
      Node& node = cluster_.node(id);
      if (node.core == nullptr) continue;
      check_applied(id, node);
      check_reads(node);
      EXPECT_TRUE(node.quarantines.empty()) << "a false alarm";
      for (const TraceEvent& event : node.trace) {
        EXPECT_NE(event.kind, TraceKind::kDiverged) << to_string(event);
        if (event.kind == TraceKind::kSnapshotInstalled) ++snapshots_;
        if (event.kind != TraceKind::kBecameLeader) continue;
        const auto [found, fresh] = leaders_.emplace(event.term.value, id);
        EXPECT_TRUE(fresh) << "two leaders in term " << event.term.value;
      }
      node.trace.clear();
    }
  }

  /// State machine safety: nobody ever applies another entry at an index.
  void check_applied(std::uint64_t id, Node& node) {
    for (std::size_t& at = applied_[id]; at < node.applied_entries.size(); ++at) {
      const EntryPtr& entry = node.applied_entries[at];
      if (at == committed_.size()) committed_.push_back(entry);
      ASSERT_LT(at, committed_.size());
      EXPECT_EQ(committed_[at]->hash, entry->hash) << "member " << id << " at " << at + 1;
      if (at > 0) {
        EXPECT_GT(entry->time, committed_[at - 1]->time) << "stamps grow";
      }
    }
  }

  /// A read sees at least everything that had been applied anywhere when it was asked for.
  void check_reads(Node& node) {
    for (const auto& [read, outcome] : node.reads) {
      if (outcome.code != base::Code::kOk) continue;
      const auto floor = floors_.find(read);
      if (floor == floors_.end()) continue;
      EXPECT_GE(outcome.index.value, floor->second) << "a stale read";
      ++reads_;
      floors_.erase(floor);
    }
    node.reads.clear();
  }

  /// Liveness after the last fault.
  void recover() {
    isolated_.clear();
    for (std::uint64_t id = 1; id <= cluster_.size(); ++id) {
      Node& node = cluster_.node(id);
      node.hang_log = node.hang_apply = false;
      if (node.core == nullptr) cluster_.restart(id);
      cluster_.step(id, SelfAssessment{true, ""});
    }
    cluster_.run(100);
    if (faults_.changes_members) {
      replace();
      cluster_.run(200);
    }
    const std::uint64_t leader = cluster_.elect();
    ASSERT_NE(leader, 0u);
    cluster_.propose(leader, "the last");
    cluster_.run(100);
    check();
    const Configuration members = cluster_.status(leader).configuration;
    EXPECT_FALSE(members.joint()) << "a change is never left half done";
    for (std::uint64_t id = 1; id <= cluster_.size(); ++id) {
      // Who was removed gets nothing more, nor does a directory that another one replaces.
      const Member* member = members.find(MemberId(id));
      if (member == nullptr || member->incarnation != cluster_.node(id).options.incarnation)
        continue;
      ASSERT_FALSE(cluster_.node(id).applied_entries.empty());
      EXPECT_EQ(cluster_.node(id).applied_entries.back()->payload, "the last") << "member " << id;
      EXPECT_FALSE(cluster_.status(id).quarantined) << "member " << id << " is whole again";
    }
  }

  base::Random random_;
  Cluster cluster_;
  const Faults faults_;
  std::vector<EntryPtr> committed_;
  std::map<std::uint64_t, std::size_t> applied_;    // by member: how much of its state was checked
  std::map<std::uint64_t, std::uint64_t> leaders_;  // by term
  std::map<std::uint64_t, std::size_t> floors_;     // by read: what was committed when it was asked
  std::set<std::uint64_t> isolated_;
  std::set<std::uint64_t> lost_;
  std::set<std::uint64_t> replaced_;  // asked for; the old directory still runs
  std::uint64_t changes_ = 0;
  std::uint64_t payloads_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t snapshots_ = 0;
};

/// HOLDFAST_WALKS=n walks more seeds than the few of an ordinary run.
std::uint64_t walks() {
  const char* given = std::getenv("HOLDFAST_WALKS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20;
}

void walk(Faults faults) {
  std::uint64_t committed = 0, leaders = 0, reads = 0, snapshots = 0, changes = 0;
  for (std::uint64_t seed = 1; seed <= walks() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk each(seed, seed % 4 == 0 ? 5 : 3, faults);
    each.run(6000);
    committed += each.committed();
    leaders += each.leaders();
    reads += each.reads();
    snapshots += each.snapshots();
    changes += each.changes();
  }
  // The walks lead somewhere: a walk in which nothing happens proves nothing.
  std::printf("%lu walks: %lu entries, %lu leaders, %lu reads, %lu snapshots, %lu changes\n",
              walks(), committed, leaders, reads, snapshots, changes);
  EXPECT_TRUE(!faults.cuts_deep || snapshots > walks() / 2) << snapshots;
  EXPECT_GT(committed, 10 * walks());
  EXPECT_GT(leaders, 2 * walks());
  EXPECT_GT(reads, 2 * walks());
}

TEST(Random, LossDelayDuplication) {
  walk(Faults());
}
TEST(Random, Crashes) {
  walk(Faults{.crashes = true});
}
TEST(Random, Stalls) {
  walk(Faults{.stalls = true});
}
TEST(Random, CrashesStallsAndCuts) {
  walk(Faults{.crashes = true, .stalls = true, .cuts_log = true});
}
TEST(Random, Snapshots) {
  walk(Faults{.crashes = true, .stalls = true, .cuts_log = true, .cuts_deep = true});
}
TEST(Random, SnapshotsAndLostStates) {
  walk(Faults{.crashes = true, .cuts_log = true, .cuts_deep = true, .loses_state = true});
}
TEST(Random, Membership) {
  walk(Faults{.crashes = true, .changes_members = true});
}
TEST(Random, MembershipAndSnapshots) {
  walk(Faults{.crashes = true,
              .stalls = true,
              .cuts_log = true,
              .cuts_deep = true,
              .changes_members = true});
}
TEST(Random, LostData) {
  walk(Faults{.crashes = true, .cuts_log = true, .cuts_deep = true, .loses = true});
}

}  // namespace
}  // namespace raft::testing
