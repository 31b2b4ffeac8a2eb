// Watches in the simulator: each reads the changes of some member, in slices, goes on at another
// when that one dies, and holds all it is told against the ledger. Simulator thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "kv/changes.h"
#include "tests/sim/workload.h"

namespace sim {

/// Invariants, each a violation when broken: what a watch is told are the events of the ledger's
/// model, in order, each once, in whole revisions, with what was there before; and it is told that
/// a revision was compacted only if it was.
class Watchers {
 public:
  Watchers(Workload& workload, std::size_t count);
  void begin();

 private:
  struct Watcher {
    std::size_t target = 0;
    kv::Revision after;
    std::size_t at = 0;  // of the events of the model, how many are told
    std::map<std::string, kv::KeyValue> latest;
  };
  void step(std::size_t number);
  void take(Watcher& watcher, const kv::Changes& changes);
  void skip(Watcher& watcher, kv::Revision to);
  void see(Watcher& watcher, const kv::Event& event);

  Workload& workload_;
  base::Random random_;
  std::vector<Watcher> watchers_;
};

}  // namespace sim
