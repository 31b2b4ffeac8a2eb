// What applying one small put costs, history row and outcome included, by entries a batch; on the
// memory engine, so that it is kv's own cost and not RocksDB's.
#include <benchmark/benchmark.h>

#include "base/random.h"
#include "kv/state_machine.h"
#include "storage/memory_engine.h"

namespace {

kv::AppliedEntry put(std::uint64_t index, base::Random& random) {
  kv::Write write{kv::SessionId(1), index - 1, index - 1, {}};
  write.transaction.then.push_back(
      kv::PutOperation{"key-" + std::to_string(random.below(10'000)), std::string(256, 'v')});
  kv::AppliedEntry entry;
  entry.index = base::Index(index);
  entry.term = base::Term(1);
  entry.time = base::HybridTime(index);
  entry.command = std::move(write);
  return entry;
}

void apply_puts(benchmark::State& state) {
  const auto batch = static_cast<std::uint64_t>(state.range(0));
  auto machine = kv::StateMachine::open(std::make_unique<storage::MemoryEngine>()).value();
  base::Random random(1);
  kv::AppliedEntry open;
  open.index = base::Index(1);
  open.term = base::Term(1);
  open.command = kv::OpenSession{};
  CHECK(machine->apply(std::vector{open}, {}).is_ok());
  std::uint64_t last = 1;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<kv::AppliedEntry> entries;
    for (std::uint64_t i = 0; i < batch; ++i) entries.push_back(put(++last, random));
    if (last % 4096 < batch) CHECK(machine->flush().is_ok());
    state.ResumeTiming();
    const auto replies = machine->apply(entries, {});
    CHECK(replies.is_ok() && replies.value().back().code == base::Code::kOk);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(last - 1));
}
BENCHMARK(apply_puts)->Arg(1)->Arg(16)->Arg(64)->Arg(256);

}  // namespace
