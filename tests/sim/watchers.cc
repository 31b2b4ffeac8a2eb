#include "tests/sim/watchers.h"

#include <string>

namespace sim {
namespace {
constexpr Range kPause{5 * kMillisecond, 80 * kMillisecond};
constexpr std::size_t kSliceBytes = 3000;
}  // namespace

Watchers::Watchers(Workload& workload, std::size_t count)
    : workload_(workload), random_(workload.random.next()), watchers_(count) {}

void Watchers::begin() {
  for (std::size_t i = 0; i < watchers_.size(); ++i) {
    workload_.queue.after(kPause.draw(random_), [this, i] { step(i); });
  }
}

void Watchers::step(std::size_t number) {
  Watcher& watcher = watchers_[number];
  const auto changes =
      workload_.nodes[watcher.target]->changes(watcher.after, random_.between(1, kSliceBytes));
  if (!changes || random_.chance(40)) {
    watcher.target = random_.below(workload_.nodes.size());
    workload_.journal.count("watch goes on at another member");
  } else if (changes->is_ok()) {
    take(watcher, changes->value());
  } else if (changes->status().code() == base::Code::kCompacted) {
    const kv::Revision compacted = workload_.checks.ledger().model().compacted;
    if (watcher.after >= compacted)
      return workload_.journal.violation("a watch is told that what is kept was compacted");
    workload_.journal.count("watch overtaken by a compaction");
    skip(watcher, compacted);
  } else {
    return workload_.journal.violation("a watch fails: " + changes->status().to_string());
  }
  workload_.queue.after(kPause.draw(random_), [this, number] { step(number); });
}

void Watchers::see(Watcher& watcher, const kv::Event& event) {
  if (event.deleted) {
    watcher.latest.erase(event.item.key);
  } else {
    watcher.latest[event.item.key] = event.item;
  }
}

void Watchers::skip(Watcher& watcher, kv::Revision to) {
  const auto& history = workload_.checks.ledger().model().history;
  for (; watcher.at < history.size() && history[watcher.at].item.modify_revision <= to;
       ++watcher.at)
    see(watcher, history[watcher.at]);
  watcher.after = to;
}

void Watchers::take(Watcher& watcher, const kv::Changes& changes) {
  const auto& history = workload_.checks.ledger().model().history;
  const auto wrong = [&](const std::string& what) {
    workload_.journal.violation("a watch after revision " + std::to_string(watcher.after.value) +
                                ": " + what);
  };
  if (changes.after != watcher.after) return wrong("the answer goes on elsewhere");
  for (const kv::Change& change : changes.changes) {
    if (watcher.at == history.size()) return wrong("an event that nobody committed");
    const kv::Event& expected = history[watcher.at++];
    if (change.event != expected)
      return wrong("another event than revision " +
                   std::to_string(expected.item.modify_revision.value) + " has");
    const auto before = watcher.latest.find(expected.item.key);
    if (change.previous.has_value() != (before != watcher.latest.end()) ||
        (change.previous && *change.previous != before->second))
      return wrong("another value before than there was");
    see(watcher, expected);
    workload_.journal.count("event watched");
  }
  if (watcher.at < history.size() && history[watcher.at].item.modify_revision <= changes.through)
    return wrong("an event of revision " +
                 std::to_string(history[watcher.at].item.modify_revision.value) + " is missing");
  watcher.after = changes.through;
}

}  // namespace sim
