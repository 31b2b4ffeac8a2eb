// Lists that grow, several a transaction: each is one key, "1 2 3", rewritten if it is still what
// was read. Loop thread.
#pragma once

#include <map>

#include "jepsen/workload.h"
#include "jepsen/workloads/keys.h"

namespace jepsen {

class AppendLists final : public Workload {
 public:
  AppendLists(Values& values, const WorkloadOptions& options)
      : values_(values), keys_("append", 200'000, options, kLonger) {}
  Action next(base::Random& random, Role role) override;
  std::vector<Action> last_reads() override;
  std::optional<std::pair<Value, std::int64_t>> change(const kv::Event& event) const override;

  struct Part {
    bool appends = false;
    std::int64_t key = 0, value = 0;
  };
  struct List {
    std::string text;
    base::Revision modified;  // 0: it is not there
  };

 private:
  // Each append writes the whole list anew: what it writes in all grows with the square.
  static constexpr std::uint32_t kLonger = 5;
  Action action_of(std::vector<Part> parts, bool stale);
  kj::Promise<client::Outcome> attempt(client::Client& client, const std::vector<Part>& parts,
                                       int tries_left);
  kv::Transaction transaction_of(const std::vector<Part>& parts) const;

  Values& values_;
  Keys keys_;
  std::map<std::int64_t, List> known_;
};

}  // namespace jepsen
