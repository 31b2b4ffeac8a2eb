// By signals, and by what a disk does to a process. They die with this program, so nothing is left
// behind. Loop thread.
#include <signal.h>

#include "jepsen/faults/faults.h"

namespace jepsen {
namespace {

using base::Status;
using client::FaultChange;

Status start_all(Scene& scene, const std::vector<std::size_t>& members) {
  for (const std::size_t i : members) {
    const Status status = scene.cluster.start(i);
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

/// Gone until the end, then back as another process.
class Down : public Fault {
 public:
  std::vector<std::string> prove(Scene& scene) override {
    std::vector<std::string> proofs;
    for (const std::size_t i : victims_)
      if (!scene.cluster.runs(i))
        proofs.push_back(scene.cluster.name(i) + ": process " + std::to_string(before_[i].pid) +
                         " is gone, " + scene.cluster.how_it_ended(i));
    return proofs;
  }
  Status end(Scene& scene) override { return start_all(scene, victims_); }
  std::vector<std::string> prove_afterwards(Scene& scene) override {
    std::vector<std::string> proofs;
    for (const std::size_t i : victims_) {
      const auto now = scene.cluster.process(i);
      if (now && now != before_[i])
        proofs.push_back(scene.cluster.name(i) + ": process " + std::to_string(before_[i].pid) +
                         " came back as " + std::to_string(now.pid));
    }
    return proofs;
  }

 protected:
  void remember(Scene& scene, const std::vector<std::size_t>& victims) {
    victims_ = victims;
    before_.resize(scene.cluster.size());
    for (const std::size_t i : victims) before_[i] = scene.cluster.process(i);
  }
  std::vector<std::size_t> victims_;
  std::vector<client::ctl::playground::ProcessId> before_;
};

class Kill final : public Down {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims, std::uint64_t) override {
    remember(scene, victims);
    // All at the same moment, and only then waited for.
    for (const std::size_t i : victims) scene.cluster.signal(i, SIGKILL);
    for (const std::size_t i : victims) scene.cluster.kill(i);
    return Status::ok();
  }
};

class Pause final : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims, std::uint64_t) override {
    victims_ = victims;
    for (const std::size_t i : victims) scene.cluster.signal(i, SIGSTOP);
    return Status::ok();
  }
  std::vector<std::string> prove(Scene& scene) override {
    std::vector<std::string> proofs;
    for (const std::size_t i : victims_)
      if (scene.cluster.state(i) == "T")
        proofs.push_back(scene.cluster.name(i) + ": the kernel says that its process is stopped");
    return proofs;
  }
  Status end(Scene& scene) override {
    for (const std::size_t i : victims_) scene.cluster.signal(i, SIGCONT);
    return Status::ok();
  }

 private:
  std::vector<std::size_t> victims_;
};

/// Stopped and woken as a CPU quota does.
class Starve final : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims,
               std::uint64_t for_ms) override {
    constexpr std::uint64_t kStoppedMs = 95, kAwakeMs = 5;
    victims_ = victims;
    const std::uint64_t end_ms = scene.cluster.now_ms() + for_ms * 8 / 10;
    while (scene.cluster.now_ms() < end_ms) {
      for (const std::size_t i : victims) scene.cluster.signal(i, SIGSTOP);
      scene.cluster.sleep_ms(kStoppedMs);
      for (const std::size_t i : victims) stopped_ += scene.cluster.state(i) == "T" ? 1 : 0;
      for (const std::size_t i : victims) scene.cluster.signal(i, SIGCONT);
      scene.cluster.sleep_ms(kAwakeMs);
    }
    return Status::ok();
  }
  std::vector<std::string> prove(Scene& scene) override {
    if (stopped_ == 0) return {};
    return {scene.cluster.name(victims_.front()) + ": the kernel found it stopped " +
            std::to_string(stopped_) + " times"};
  }
  Status end(Scene& scene) override {
    for (const std::size_t i : victims_) scene.cluster.signal(i, SIGCONT);
    return Status::ok();
  }

 private:
  std::vector<std::size_t> victims_;
  std::uint64_t stopped_ = 0;
};

/// The fault plane keeps what is not synced in the process; SIGKILL, or the torn sync itself, loses
/// it.
class PowerLoss final : public Down {
 public:
  explicit PowerLoss(bool torn) : torn_(torn) {}

  Status begin(Scene& scene, const std::vector<std::size_t>& victims,
               std::uint64_t for_ms) override {
    remember(scene, victims);
    // Syncs are slow before, so that there is something that is not synced when the power goes.
    const std::vector<Switch> switches =
        torn_ ? std::vector<Switch>{{"tear-log-sync", {}}}
              : std::vector<Switch>{{"slow-log-sync", {{"delay", "60ms"}}},
                                    {"lose-log-unsynced", {}},
                                    {"lose-state-unsynced", {}}};
    for (const std::size_t i : victims) {
      for (const Switch& one : switches) {
        FaultChange change;
        change.kind = FaultChange::Kind::kSet;
        change.name = one.name;
        change.parameters = one.parameters;
        const auto set = scene.cluster.fault(i, change);
        // A torn sync may end the process before it has answered.
        if (!set.is_ok() && scene.cluster.runs(i) && !torn_) return set.status();
      }
    }
    scene.cluster.sleep_ms(for_ms / 4);
    if (torn_) {
      for (int tries = 0; tries < 100 && scene.cluster.runs(victims.front()); ++tries)
        scene.cluster.sleep_ms(50);
      if (scene.cluster.runs(victims.front())) return {base::Code::kTimeout, "no sync was torn"};
      return Status::ok();
    }
    for (const std::size_t i : victims) {
      const auto all = scene.cluster.fault(i, {});
      for (const auto& fault : all.is_ok() ? all.value() : std::vector<client::Fault>())
        if (fault.on && fault.name.starts_with("lose-")) held_ += fault.hits;
    }
    for (const std::size_t i : victims) scene.cluster.signal(i, SIGKILL);
    for (const std::size_t i : victims) scene.cluster.kill(i);
    return Status::ok();
  }
  std::vector<std::string> prove(Scene& scene) override {
    std::vector<std::string> proofs = Down::prove(scene);
    if (torn_) {
      // It was not this program that sent the signal.
      for (std::string& proof : proofs) proof += ", in the middle of a sync";
      return proofs;
    }
    if (held_ == 0) return {};
    proofs.push_back(std::to_string(held_) + " writes were held in memory until their sync");
    return proofs;
  }

 private:
  const bool torn_;
  std::uint64_t held_ = 0;
};

/// Its log's syncs fail, and it ends by itself.
class FailingDisk final : public Down {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims, std::uint64_t) override {
    remember(scene, victims);
    for (const std::size_t i : victims) {
      FaultChange change;
      change.kind = FaultChange::Kind::kSet;
      change.name = "fail-log-sync";
      const auto set = scene.cluster.fault(i, change);
      if (!set.is_ok() && scene.cluster.runs(i)) return set.status();
    }
    return Status::ok();
  }
  Status end(Scene& scene) override {
    // One that had nothing to sync still has the fault.
    for (const std::size_t i : victims_) {
      FaultChange clear;
      clear.kind = FaultChange::Kind::kClear;
      if (scene.cluster.runs(i)) (void)scene.cluster.fault(i, clear);
    }
    return start_all(scene, victims_);
  }
};

}  // namespace

std::unique_ptr<Fault> make_kill() {
  return std::make_unique<Kill>();
}
std::unique_ptr<Fault> make_pause() {
  return std::make_unique<Pause>();
}
std::unique_ptr<Fault> make_starve() {
  return std::make_unique<Starve>();
}
std::unique_ptr<Fault> make_power_loss(bool torn) {
  return std::make_unique<PowerLoss>(torn);
}
std::unique_ptr<Fault> make_failing_disk() {
  return std::make_unique<FailingDisk>();
}

}  // namespace jepsen
