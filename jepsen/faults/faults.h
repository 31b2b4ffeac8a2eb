// The kinds of faults, by what they are done with. Loop thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jepsen/nemesis.h"

namespace jepsen {

/// One switch of a member's own fault plane, with its strength.
struct Switch {
  std::string name;
  std::vector<std::pair<std::string, std::string>> parameters;
};

// plane.cc: by the members' own fault planes. Proof: how many real calls they caught there.
std::unique_ptr<Fault> make_switches(std::vector<Switch> switches);
std::unique_ptr<Fault> make_clock_jumps();
/// Links cut as a shape: isolate, halves, ring, bridge, one-way-out, one-way-in, chained.
std::unique_ptr<Fault> make_cut(const std::string& shape);

// process.cc: by signals. Proof: what the kernel says of the process.
std::unique_ptr<Fault> make_kill();
std::unique_ptr<Fault> make_pause();
std::unique_ptr<Fault> make_starve();
/// What was not synced is lost, or the last write torn, and the process with it.
std::unique_ptr<Fault> make_power_loss(bool torn);
std::unique_ptr<Fault> make_failing_disk();

// files.cc: by changing what a member that is down has on its disk.
std::unique_ptr<Fault> make_bit_flips();
std::unique_ptr<Fault> make_truncation();
std::unique_ptr<Fault> make_wiped();
std::unique_ptr<Fault> make_old_copy();

// operations.cc: by what an operator does.
std::unique_ptr<Fault> make_transfer();
std::unique_ptr<Fault> make_membership();
std::unique_ptr<Fault> make_compaction();
std::unique_ptr<Fault> make_lagging();

}  // namespace jepsen
