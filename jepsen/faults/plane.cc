// By the fault plane of the members: each fault ends by itself, though this program may be gone by
// then. Loop thread.
#include <algorithm>
#include <map>

#include "jepsen/faults/caught.h"
#include "jepsen/faults/faults.h"

namespace jepsen {
namespace {

using base::Status;
using client::FaultChange;

constexpr std::uint64_t kGraceMs = 5000;  // after which a fault that nobody cleared ends

struct Set {
  std::size_t member = 0;
  Switch one;
};

/// Sets switches, and tells how many calls each has caught.
class Switches : public Fault {
 public:
  explicit Switches(std::vector<Switch> switches) : switches_(std::move(switches)) {}

  Status begin(Scene& scene, const std::vector<std::size_t>& victims,
               std::uint64_t for_ms) override {
    const std::vector<Set> sets = plan(scene, victims);
    for (const Set& set : sets) {
      const auto before = scene.cluster.fault(set.member, {});
      if (before.is_ok()) caught_.begin(scene.cluster.name(set.member), before.value());
    }
    for (const Set& set : sets) {
      FaultChange change;
      change.kind = FaultChange::Kind::kSet;
      change.name = set.one.name;
      change.parameters = set.one.parameters;
      change.for_ms = for_ms + kGraceMs;
      const auto all = scene.cluster.fault(set.member, change);
      if (!all.is_ok()) {
        const Status undone = end(scene);
        return {all.status().code(), scene.cluster.name(set.member) + ", " + set.one.name + ": " +
                                         all.status().detail() +
                                         (undone.is_ok() ? "" : "; and not undone")};
      }
      members_.push_back(set.member);
    }
    return Status::ok();
  }

  std::vector<std::string> prove(Scene& scene) override {
    std::vector<std::string> proofs;
    std::vector<std::size_t> each = members_;
    std::sort(each.begin(), each.end());
    each.erase(std::unique(each.begin(), each.end()), each.end());
    for (const std::size_t i : each) {
      const auto all = scene.cluster.fault(i, {});
      if (!all.is_ok()) continue;
      for (std::string& line : caught_.proofs(scene.cluster.name(i), all.value()))
        proofs.push_back(std::move(line));
    }
    return proofs;
  }

  Status end(Scene& scene) override {
    Status status;
    for (const std::size_t i : members_) {
      FaultChange clear;
      clear.kind = FaultChange::Kind::kClear;
      const auto cleared = scene.cluster.fault(i, clear);
      if (!cleared.is_ok() && scene.cluster.runs(i)) status = cleared.status();
    }
    members_.clear();
    return status;
  }

 protected:
  virtual std::vector<Set> plan(Scene&, const std::vector<std::size_t>& victims) {
    std::vector<Set> all;
    for (const std::size_t i : victims)
      for (const Switch& one : switches_) all.push_back({i, one});
    return all;
  }

 private:
  const std::vector<Switch> switches_;
  std::vector<std::size_t> members_;
  Caught caught_;
};

/// The wall clock of each jumps to and fro, by the hour, five times a second.
class ClockJumps final : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims,
               std::uint64_t for_ms) override {
    constexpr std::uint64_t kBetweenMs = 200;
    const std::uint64_t end_ms = scene.cluster.now_ms() + for_ms * 8 / 10;
    while (scene.cluster.now_ms() < end_ms) {
      for (const char* const clock : {"clock-ahead", "clock-behind"}) {
        Switches jump({{clock, {{"by", "1h"}}}});
        Status status = jump.begin(scene, victims, kBetweenMs);
        if (!status.is_ok()) return status;
        scene.cluster.sleep_ms(kBetweenMs);
        seen_ += jump.prove(scene).size();
        status = jump.end(scene);
        if (!status.is_ok()) return status;
      }
    }
    return Status::ok();
  }
  std::vector<std::string> prove(Scene&) override {
    if (seen_ == 0) return {};
    return {std::to_string(seen_) + " jumps by an hour were seen by those who asked for the time"};
  }
  Status end(Scene&) override { return Status::ok(); }

 private:
  std::size_t seen_ = 0;
};

/// Cuts links; the proof is also that both ends have not heard each other since.
class Cut final : public Switches {
 public:
  explicit Cut(std::string shape) : Switches({}), shape_(std::move(shape)) {}

  std::vector<std::string> prove(Scene& scene) override {
    std::vector<std::string> proofs = Switches::prove(scene);
    if (proofs.empty()) return proofs;
    const auto statuses = scene.cluster.statuses();
    for (const auto& [from, to, direction] : cuts_) {
      if (!statuses[from] || !statuses[from]->leads()) continue;
      for (const auto& peer : statuses[from]->peers)
        if (peer.name == scene.cluster.name(to))
          proofs.push_back(scene.cluster.name(from) + " leads and last heard " + peer.name + " " +
                           std::to_string(peer.silent_ms) + " ms ago");
    }
    return proofs;
  }

 protected:
  struct Link {
    std::size_t from = 0, to = 0;
    const char* direction = "both";
  };

  std::vector<Set> plan(Scene& scene, const std::vector<std::size_t>& victims) override {
    shape(scene.cluster.size(), victims.front());
    std::vector<Set> all;
    for (const Link& link : cuts_)
      all.push_back(
          {link.from,
           {"cut-link", {{"peer", scene.cluster.name(link.to)}, {"direction", link.direction}}}});
    return all;
  }

 private:
  /// The members in a row that begins with the victim.
  void shape(std::size_t size, std::size_t victim) {
    const auto member = [&](std::size_t i) { return (victim + i) % size; };
    const auto cut = [&](std::size_t a, std::size_t b, const char* direction = "both") {
      cuts_.push_back({member(a), member(b), direction});
    };
    const auto each_pair = [&](const auto& parted) {
      for (std::size_t a = 0; a < size; ++a)
        for (std::size_t b = a + 1; b < size; ++b)
          if (parted(a, b)) cut(a, b);
    };
    if (shape_ == "isolate") {
      each_pair([](std::size_t a, std::size_t) { return a == 0; });
    } else if (shape_ == "one-way-out" || shape_ == "one-way-in") {
      for (std::size_t b = 1; b < size; ++b) cut(0, b, shape_ == "one-way-out" ? "out" : "in");
    } else if (shape_ == "halves") {
      each_pair([&](std::size_t a, std::size_t b) { return a < size / 2 && b >= size / 2; });
    } else if (shape_ == "bridge") {
      // The last one is with both parts.
      each_pair([&](std::size_t a, std::size_t b) {
        return b + 1 < size && a < (size - 1) / 2 && b >= (size - 1) / 2;
      });
    } else if (shape_ == "chained") {
      each_pair([](std::size_t a, std::size_t b) { return b - a > 1; });
    } else if (size > 3) {
      each_pair([&](std::size_t a, std::size_t b) { return b - a > 1 && b - a + 1 < size; });
    } else {
      cut(0, 1);  // a ring of three is whole: one link less
    }
  }

  const std::string shape_;
  std::vector<Link> cuts_;
};

}  // namespace

std::unique_ptr<Fault> make_switches(std::vector<Switch> switches) {
  return std::make_unique<Switches>(std::move(switches));
}
std::unique_ptr<Fault> make_clock_jumps() {
  return std::make_unique<ClockJumps>();
}
std::unique_ptr<Fault> make_cut(const std::string& shape) {
  return std::make_unique<Cut>(shape);
}

}  // namespace jepsen
