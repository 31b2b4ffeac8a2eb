#include "jepsen/workload.h"

#include "jepsen/workloads/appends.h"
#include "jepsen/workloads/counters.h"
#include "jepsen/workloads/mixed.h"
#include "jepsen/workloads/registers.h"
#include "jepsen/workloads/sets.h"
#include "jepsen/workloads/transactions.h"

namespace jepsen {

const std::vector<WorkloadText>& workload_texts() {
  static const std::vector<WorkloadText> kTexts = {
      {"register",
       "read, write and compare-and-swap of single keys",
       {"revisions", "linearizable", "exactly-once"}},
      {"txn", "transactions that read and write several keys", {"revisions", "exactly-once"}},
      {"append", "lists that grow, several a transaction", {"revisions", "append", "exactly-once"}},
      {"set", "a set that grows, read whole", {"revisions", "set", "exactly-once"}},
      {"counter",
       "keys that are only written, whose versions are counted and read again",
       {"revisions", "exactly-once"}},
      {"watch",
       "registers that come and go, and watches of them on each member",
       {"revisions", "watch", "exactly-once"}},
      {"lock",
       "registers, and holders of locks, some of whom sleep, with an outside resource",
       {"revisions", "lock"}},
      {"lease", "registers, and leases that are kept, and dropped", {"revisions", "lease"}},
      {"mixed",
       "all of them at once",
       {"revisions", "append", "set", "watch", "lock", "lease", "exactly-once"}},
  };
  return kTexts;
}

std::unique_ptr<Workload> make_workload(const std::string& name, Values& values,
                                        const WorkloadOptions& options) {
  if (name == "register" || name == "lock" || name == "lease")
    return std::make_unique<Registers>(values, options, false);
  if (name == "watch") return std::make_unique<Registers>(values, options, true);
  if (name == "txn") return std::make_unique<Transactions>(values, options);
  if (name == "append") return std::make_unique<AppendLists>(values, options);
  if (name == "set") return std::make_unique<GrowingSet>(values, options);
  if (name == "counter") return std::make_unique<Counters>(values, options);
  if (name == "mixed") return std::make_unique<Mixed>(values, options);
  return nullptr;
}

}  // namespace jepsen
