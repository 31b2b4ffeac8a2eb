// By what an operator does. Loop thread.
#include <filesystem>

#include "jepsen/caller.h"
#include "jepsen/faults/faults.h"

namespace jepsen {
namespace {

using base::Code;
using base::Status;

constexpr std::uint64_t kHealedMs = 30'000;

/// Again and again until its time is over.
class Transfer final : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>&, std::uint64_t for_ms) override {
    Caller caller(scene.cluster);
    const std::uint64_t end_ms = scene.cluster.now_ms() + for_ms * 8 / 10;
    Status last;
    while (scene.cluster.now_ms() < end_ms) {
      const auto statuses = scene.cluster.statuses();
      const auto leader = Cluster::leader_of(statuses);
      if (leader) {
        const std::size_t heir =
            (*leader + 1 + scene.random.below(scene.cluster.size() - 1)) % scene.cluster.size();
        const auto outcome = caller.wait(caller.client().move_leader(scene.cluster.name(heir)));
        last = outcome.status;
        if (outcome.status.is_ok())
          moved_.push_back(scene.cluster.name(*leader) + " to " + scene.cluster.name(heir) +
                           ", term " + std::to_string(outcome.header.term.value));
      }
      scene.cluster.sleep_ms(700);
    }
    return moved_.empty() ? last : Status::ok();
  }
  std::vector<std::string> prove(Scene&) override {
    std::vector<std::string> proofs;
    for (const std::string& one : moved_) proofs.push_back("leadership went from " + one);
    return proofs;
  }
  Status end(Scene&) override { return Status::ok(); }

 private:
  std::vector<std::string> moved_;
};

class Membership final : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims, std::uint64_t) override {
    victim_ = victims.front();
    name_ = scene.cluster.name(victim_);
    client::MemberChange change;
    change.kind = client::MemberChange::Kind::kRemove;
    change.name = name_;
    Caller caller(scene.cluster);
    const auto outcome = caller.wait(caller.client().members(change));
    if (outcome.status.is_ok() && !is_member(outcome))
      proofs_.push_back(change.name + " is no member, of " +
                        std::to_string(outcome.members.size()) + " that there are");
    return outcome.status;
  }
  std::vector<std::string> prove(Scene&) override { return proofs_; }
  Status end(Scene& scene) override {
    scene.cluster.kill(victim_);
    std::error_code error;
    std::filesystem::remove_all(scene.cluster.data_dir(victim_), error);
    if (error) return {Code::kIo, error.message()};
    scene.cluster.join_at_next_start(victim_);
    const Status started = scene.cluster.start(victim_);
    if (!started.is_ok()) return started;
    client::MemberChange change;
    change.kind = client::MemberChange::Kind::kAdd;
    change.name = name_;
    change.peer_address = scene.cluster.peer_address(victim_);
    change.client_address = scene.cluster.client_address(victim_);
    Caller caller(scene.cluster);
    client::Outcome outcome;
    constexpr int kTries = 20;
    for (int i = 0; i < kTries; ++i) {
      outcome = caller.wait(caller.client().members(change));
      if (outcome.status.is_ok()) return scene.cluster.wait_until_well(kHealedMs, false);
      scene.cluster.sleep_ms(500);
    }
    return outcome.status;
  }

 private:
  bool is_member(const client::Outcome& outcome) const {
    for (const auto& member : outcome.members)
      if (member.name == name_) return true;
    return false;
  }
  std::size_t victim_ = 0;
  std::string name_;
  std::vector<std::string> proofs_;
};

/// Always behind what the feed was told, which is the run's own account.
class Compaction final : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>&, std::uint64_t for_ms) override {
    constexpr std::uint64_t kKept = 20;
    Caller caller(scene.cluster);
    const std::uint64_t end_ms = scene.cluster.now_ms() + for_ms * 8 / 10;
    before_ = floor(scene);
    Status last;
    while (scene.cluster.now_ms() < end_ms) {
      const std::uint64_t told = scene.feed.told();
      if (told > kKept) {
        kv::Transaction compact;
        compact.then.push_back(kv::CompactOperation{base::Revision(told - kKept)});
        last = caller.wait(caller.client().write(std::move(compact))).status;
        // Another one that was asked later may have gone further.
        times_ += last.is_ok() ? 1 : 0;
      }
      scene.cluster.sleep_ms(300);
    }
    return times_ == 0 ? last : Status::ok();
  }
  std::vector<std::string> prove(Scene& scene) override {
    const std::uint64_t after = floor(scene);
    if (after <= before_) return {};
    return {"the oldest revision that can be read went from " + std::to_string(before_) + " to " +
            std::to_string(after) + ", in " + std::to_string(times_) + " compactions"};
  }
  Status end(Scene&) override { return Status::ok(); }

 private:
  static std::uint64_t floor(Scene& scene) {
    const auto statuses = scene.cluster.statuses();
    const auto leader = Cluster::leader_of(statuses);
    return leader ? statuses[*leader]->compacted.value : 0;
  }
  std::uint64_t before_ = 0, times_ = 0;
};

/// Down until the others have cut their logs above what it has.
class Lagging final : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims, std::uint64_t) override {
    victim_ = victims.front();
    const auto statuses = scene.cluster.statuses();
    if (!statuses[victim_])
      return {Code::kUnavailable, scene.cluster.name(victim_) + " does not answer"};
    last_ = statuses[victim_]->last.value;
    scene.cluster.kill(victim_);
    constexpr int kTries = 300;
    for (int i = 0; i < kTries; ++i) {
      const auto all = scene.cluster.statuses();
      const auto leader = Cluster::leader_of(all);
      first_ = leader ? all[*leader]->first.value : 0;
      if (first_ > last_ + 1) return Status::ok();
      scene.cluster.sleep_ms(100);
    }
    const Status started = scene.cluster.start(victim_);
    return {Code::kTimeout,
            "the log was not cut" + (started.is_ok() ? std::string() : started.to_string())};
  }
  std::vector<std::string> prove(Scene& scene) override {
    return {scene.cluster.name(victim_) + " has the log up to " + std::to_string(last_) +
            ", and the leader's begins at " + std::to_string(first_)};
  }
  Status end(Scene& scene) override {
    const Status started = scene.cluster.start(victim_);
    return started.is_ok() ? scene.cluster.wait_until_well(kHealedMs, false) : started;
  }

 private:
  std::size_t victim_ = 0;
  std::uint64_t last_ = 0, first_ = 0;
};

}  // namespace

std::unique_ptr<Fault> make_transfer() {
  return std::make_unique<Transfer>();
}
std::unique_ptr<Fault> make_membership() {
  return std::make_unique<Membership>();
}
std::unique_ptr<Fault> make_compaction() {
  return std::make_unique<Compaction>();
}
std::unique_ptr<Fault> make_lagging() {
  return std::make_unique<Lagging>();
}

}  // namespace jepsen
