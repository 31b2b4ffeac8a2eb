#include "jepsen/nemesis.h"

#include <signal.h>

#include <algorithm>
#include <functional>
#include <map>
#include <sstream>

#include "jepsen/faults/faults.h"

namespace jepsen {

using base::Status;

namespace {

using Make = std::function<std::unique_ptr<Fault>()>;

struct Kind {
  FaultText text;
  Make make;
};

Make switches(std::vector<Switch> all) {
  return [all] { return make_switches(all); };
}
Make cut(const char* shape) {
  return [shape] { return make_cut(shape); };
}

const std::vector<Kind>& kinds() {
  constexpr auto kLeader = Target::kLeader, kFollower = Target::kFollower, kAll = Target::kAll;
  static const std::vector<Kind> kKinds = {
      {{"kill", "SIGKILL, and started again", true, {}}, make_kill},
      {{"kill-all", "SIGKILL of all at once", false, {kAll}}, make_kill},
      {{"pause", "SIGSTOP, and SIGCONT", true, {}}, make_pause},
      {{"starve", "a twentieth of the CPU, by SIGSTOP and SIGCONT", false, {}}, make_starve},
      {{"isolate", "cut off from all others", true, {}}, cut("isolate")},
      {{"halves", "the cluster parted in two, of which one has a majority", true, {}},
       cut("halves")},
      {{"ring", "each is linked to its two neighbours; in three: one link cut", true, {}},
       cut("ring")},
      {{"bridge", "two parts with one member between", true, {}}, cut("bridge")},
      {{"chained", "each is linked to the one before and after alone", true, {}}, cut("chained")},
      {{"one-way-out", "nobody hears it any more", true, {}}, cut("one-way-out")},
      {{"one-way-in", "it hears nobody any more", true, {}}, cut("one-way-in")},
      {{"delay", "what it sends takes 40 ms and up to half as much more", false, {}},
       switches({{"slow-link", {{"peer", "all"}, {"direction", "out"}, {"delay", "40ms"}}}})},
      {{"loss", "a fifth of its packets is lost", false, {}},
       switches({{"lossy-link", {{"peer", "all"}, {"loss", "20%"}}}})},
      {{"reset", "its connections to others break", true, {}},
       switches({{"reset-link", {{"peer", "all"}}}})},
      {{"slow-link", "100 kB a second to and from it", false, {}},
       switches({{"narrow-link", {{"peer", "all"}, {"rate", "100kB/s"}}}})},
      {{"corrupt-link", "bits flip on the way to and from it", false, {}},
       switches({{"corrupt-link", {{"peer", "all"}}}})},
      {{"client-cut", "nothing passes between it and its clients", false, {}},
       switches({{"cut-link", {{"peer", "clients"}}}})},
      {{"client-loss", "a fifth of the packets of its clients is lost", false, {}},
       switches({{"lossy-link", {{"peer", "clients"}, {"loss", "20%"}}}})},
      {{"client-reset", "its connections to clients break", false, {}},
       switches({{"reset-link", {{"peer", "clients"}}}})},
      {{"hang-disk", "syncs of its log do not return", true, {}},
       switches({{"hang-log-sync", {}}})},
      {{"slow-disk", "syncs of its log take 60 ms longer", false, {}},
       switches({{"slow-log-sync", {{"delay", "60ms"}}}})},
      {{"fail-disk", "syncs of its log fail, so that it ends", true, {}}, make_failing_disk},
      {{"full-disk", "no room is left", false, {kFollower}},
       switches({{"fill-disk", {{"free", "0B"}}}})},
      {{"power-loss", "killed while syncs are slow, and what was not synced is lost", true, {}},
       [] { return make_power_loss(false); }},
      {{"power-loss-all", "the same of all at once", false, {kAll}},
       [] { return make_power_loss(false); }},
      {{"torn-write", "killed in the middle of a sync", true, {}},
       [] { return make_power_loss(true); }},
      {{"bit-flip", "a bit of its files flipped while it is down", true, {kFollower}},
       make_bit_flips},
      {{"truncate", "the newest file of its log cut off while it is down", true, {kFollower}},
       make_truncation},
      {{"wipe", "its directory is gone, and it is replaced", true, {kFollower}}, make_wiped},
      {{"old-copy", "an old copy of its directory is put back", true, {kFollower}}, make_old_copy},
      {{"clock-ahead", "its wall clock is 10 s ahead", false, {}},
       switches({{"clock-ahead", {{"by", "10s"}}}})},
      {{"clock-behind", "its wall clock is 10 s behind", false, {}},
       switches({{"clock-behind", {{"by", "10s"}}}})},
      {{"clock-drift", "its wall clock gains a tenth", false, {}},
       switches({{"clock-fast", {{"drift", "10%"}}}})},
      {{"clock-jump", "its wall clock jumps by an hour, to and fro", false, {}}, make_clock_jumps},
      {{"block-logs", "nobody reads its log lines", true, {}}, switches({{"block-log-lines", {}}})},
      {{"stall-apply", "its apply thread stands still", true, {}}, switches({{"stall-apply", {}}})},
      {{"transfer", "the leader hands over", true, {kLeader}}, make_transfer},
      {{"membership", "a follower is removed, and taken back", true, {kFollower}}, make_membership},
      {{"compact", "history is compacted, again and again", true, {kLeader}}, make_compaction},
      {{"lag", "down until it needs a snapshot", true, {kFollower}}, make_lagging},
  };
  return kKinds;
}

const Kind* kind_of(const std::string& name) {
  for (const Kind& kind : kinds())
    if (name == kind.text.name) return &kind;
  return nullptr;
}

std::string joined(const Cluster& cluster, const std::vector<std::size_t>& members) {
  std::string text;
  for (const std::size_t i : members) text += (text.empty() ? "" : ",") + cluster.name(i);
  return text;
}

/// Errors: nobody leads.
base::Result<std::vector<std::size_t>> victims_of(Scene& scene, Target target) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < scene.cluster.size(); ++i) all.push_back(i);
  if (target == Target::kAll) return all;
  if (target == Target::kRandom) return std::vector<std::size_t>{scene.random.below(all.size())};
  std::optional<std::size_t> leader;
  constexpr int kTries = 50;
  for (int i = 0; i < kTries && !leader; ++i) {
    if (i > 0) scene.cluster.sleep_ms(100);
    leader = Cluster::leader_of(scene.cluster.statuses());
  }
  if (!leader) return Status(base::Code::kNoLeader, "nobody leads");
  if (target == Target::kLeader) return std::vector<std::size_t>{*leader};
  return std::vector<std::size_t>{(*leader + 1 + scene.random.below(all.size() - 1)) % all.size()};
}

Value about(std::uint64_t number) {
  Value value = Value::map();
  value.set("number", Value::of(static_cast<std::int64_t>(number)));
  return value;
}

void write_proofs(Scene& scene, std::uint64_t number, const std::vector<std::string>& proofs) {
  for (const std::string& proof : proofs) {
    Value value = about(number);
    value.set("text", Value::text_of(proof));
    scene.recorder.note("nemesis", "proof", std::move(value));
  }
}

void skipped(Scene& scene, const Strike& strike, std::uint64_t number, const Status& why) {
  Value value = about(number);
  value.set("fault", Value::text_of(strike.fault)).set("text", Value::text_of(why.to_string()));
  scene.recorder.note("nemesis", "skipped", std::move(value));
}

}  // namespace

const char* name_of(Target target) {
  constexpr const char* kNames[] = {"leader", "follower", "random", "all"};
  return kNames[static_cast<std::size_t>(target)];
}

const std::vector<FaultText>& fault_texts() {
  static const std::vector<FaultText> kTexts = [] {
    std::vector<FaultText> texts;
    for (const Kind& kind : kinds()) texts.push_back(kind.text);
    return texts;
  }();
  return kTexts;
}

std::unique_ptr<Fault> make_fault(const std::string& name) {
  const Kind* kind = kind_of(name);
  return kind == nullptr ? nullptr : kind->make();
}

std::vector<Strike> make_plan(const std::string& faults, const std::string& target,
                              std::uint64_t duration_ms, std::uint64_t seed) {
  constexpr std::uint64_t kCalmMinMs = 1500, kCalmMaxMs = 3000, kForMinMs = 2000, kForMaxMs = 5000;
  std::vector<std::string> names;
  std::istringstream stream(faults);
  for (std::string name; std::getline(stream, name, '+');)
    if (name != "none") names.push_back(name);
  std::vector<Strike> plan;
  base::Random random(seed);
  std::uint64_t at_ms = 0;
  for (std::size_t i = 0; !names.empty(); ++i) {
    Strike strike;
    strike.fault = names[i < names.size() ? i : random.below(names.size())];
    strike.calm_ms = random.between(kCalmMinMs, kCalmMaxMs);
    strike.for_ms = random.between(kForMinMs, kForMaxMs);
    const std::vector<Target>& targets = kind_of(strike.fault)->text.targets;
    // In turns, so that the leader is hit in half of all.
    const Target usual = i % 2 == 0         ? Target::kLeader
                         : random.chance(2) ? Target::kFollower
                                            : Target::kRandom;
    strike.target = usual;
    for (const Target one : {Target::kLeader, Target::kFollower, Target::kRandom, Target::kAll})
      if (target == name_of(one)) strike.target = one;
    if (!targets.empty() &&
        std::find(targets.begin(), targets.end(), strike.target) == targets.end())
      strike.target = targets.front();
    at_ms += strike.calm_ms + strike.for_ms;
    // Each that was named happens, however short the time.
    if (at_ms > duration_ms && i >= names.size()) break;
    plan.push_back(strike);
  }
  return plan;
}

void carry_out(Scene& scene, const Strike& strike, std::uint64_t number, std::uint64_t bound_ms) {
  const Kind* kind = kind_of(strike.fault);
  auto victims = victims_of(scene, strike.target);
  if (!victims.is_ok()) return skipped(scene, strike, number, victims.status());
  const bool bounded = kind->text.bounded && strike.target != Target::kAll;
  Value value = about(number);
  value.set("fault", Value::text_of(strike.fault))
      .set("targets", Value::text_of(joined(scene.cluster, victims.value())))
      .set("target", Value::word(name_of(strike.target)))
      .set("bound_ms", Value::of(bounded ? static_cast<std::int64_t>(bound_ms) : 0));
  scene.recorder.note("nemesis", "begin", std::move(value));
  auto fault = kind->make();
  const std::uint64_t for_ms = strike.for_ms * scene.cluster.time_scale();
  const std::uint64_t end_ms = scene.cluster.now_ms() + for_ms;
  const Status begun = fault->begin(scene, victims.value(), for_ms);
  if (!begun.is_ok()) {
    skipped(scene, strike, number, begun);
  } else {
    // The last tenth is for looking at the victims.
    const std::uint64_t now_ms = scene.cluster.now_ms();
    const std::uint64_t look_ms = end_ms - for_ms / 10;
    if (look_ms > now_ms) scene.cluster.sleep_ms(look_ms - now_ms);
    write_proofs(scene, number, fault->prove(scene));
  }
  const Status ended = fault->end(scene);
  scene.recorder.note("nemesis", "end", about(number));
  if (!ended.is_ok())
    scene.recorder.note("nemesis", "wrong",
                        Value::text_of(strike.fault + " did not end: " + ended.to_string()));
  if (begun.is_ok()) write_proofs(scene, number, fault->prove_afterwards(scene));
}

Status heal(Cluster& cluster) {
  Status status;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (!cluster.runs(i)) {
      const Status started = cluster.start(i);  // its faults ended with its process
      if (!started.is_ok()) status = started;
      continue;
    }
    cluster.signal(i, SIGCONT);
    client::FaultChange clear;
    clear.kind = client::FaultChange::Kind::kClear;
    const auto cleared = cluster.fault(i, clear);
    if (!cleared.is_ok()) status = cleared.status();
  }
  return status;
}

}  // namespace jepsen
