// What breaks a cluster on purpose, and proves at the victim that it did. Loop thread; runs the
// loop, so nothing here may be called inside a handler.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "jepsen/actors.h"
#include "jepsen/cluster.h"
#include "jepsen/recorder.h"

namespace jepsen {

/// Who is hit, as the plan says; found out when it comes to it.
enum class Target : std::uint8_t { kLeader, kFollower, kRandom, kAll };
const char* name_of(Target target);

/// What a fault works on while it lasts.
struct Scene {
  Cluster& cluster;
  Recorder& recorder;
  const LiveFeed& feed;
  base::Random& random;
  std::string folder;
};

/// One kind of fault. begin(), prove(), end() are called in turn, once each, for each time that it
/// is injected.
class Fault {
 public:
  virtual ~Fault() = default;
  /// Errors: what could not be done; nothing lasts then.
  virtual base::Status begin(Scene& scene, const std::vector<std::size_t>& victims,
                             std::uint64_t for_ms) = 0;
  /// While it lasts, near its end: what can be seen at the victims. Empty: nothing.
  virtual std::vector<std::string> prove(Scene& scene) = 0;
  virtual base::Status end(Scene& scene) = 0;
  /// What can be seen only after its end, such as a member that came back as another process.
  virtual std::vector<std::string> prove_afterwards(Scene&) { return {}; }
};

struct FaultText {
  const char* name;
  const char* what;
  /// Whoever is hit: fewer than half of the members, so that writes must go on in time.
  bool bounded;
  /// The only ones that it makes sense with; empty: any but all.
  std::vector<Target> targets;
};
const std::vector<FaultText>& fault_texts();
/// Null: there is none of that name.
std::unique_ptr<Fault> make_fault(const std::string& name);

/// One entry of a plan.
struct Strike {
  std::string fault;
  Target target = Target::kRandom;
  std::uint64_t calm_ms = 0;  // before it
  std::uint64_t for_ms = 0;
};
/// Faults in turns with calm, from the seed alone: the plan is the same for ever, what becomes of
/// it is not. `faults`: names, joined by +. `target`: of all, or "mixed".
std::vector<Strike> make_plan(const std::string& faults, const std::string& target,
                              std::uint64_t duration_ms, std::uint64_t seed);

/// Carries a strike out and writes it down: begin, proof, end; or skipped.
void carry_out(Scene& scene, const Strike& strike, std::uint64_t number, std::uint64_t bound_ms);

/// Ends whatever may last: faults of all members, stopped processes, members that do not run.
base::Status heal(Cluster& cluster);

}  // namespace jepsen
