#include "tests/sim/linearizability.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "base/check.h"
#include "jepsen/check/search.h"

namespace sim {
namespace {

/// What a call makes of a state; nullopt: it cannot have happened there.
std::optional<std::uint32_t> effect(const RegisterCall& call, std::uint32_t state) {
  switch (call.kind) {
    case RegisterCall::Kind::kRead:
      return call.value == state ? std::optional(state) : std::nullopt;
    case RegisterCall::Kind::kWrite:
      if (call.previous && *call.previous != state) return std::nullopt;
      return call.value;
    case RegisterCall::Kind::kCas:
      return call.expected == state ? std::optional(call.value) : std::nullopt;
    case RegisterCall::Kind::kFailedCas:
      return call.expected != state && call.value == state ? std::optional(state) : std::nullopt;
  }
  return std::nullopt;
}

class RegisterModel final : public jepsen::Model {
 public:
  explicit RegisterModel(const std::vector<RegisterCall>& calls) : calls_(calls) {}
  std::uint32_t initial() override { return 0; }
  std::optional<std::uint32_t> step(std::uint32_t state, std::size_t call) override {
    return effect(calls_[call], state);
  }
  bool only_reads(std::size_t call) override {
    return calls_[call].kind == RegisterCall::Kind::kRead ||
           calls_[call].kind == RegisterCall::Kind::kFailedCas;
  }

 private:
  const std::vector<RegisterCall>& calls_;
};

/// Times as places in their order.
std::vector<jepsen::Call> places_of(const std::vector<RegisterCall>& calls) {
  std::vector<Time> times;
  for (const RegisterCall& call : calls) {
    times.push_back(call.invoked);
    if (call.returned != kOpen) times.push_back(call.returned);
  }
  std::sort(times.begin(), times.end());
  const auto place = [&](Time time) {
    return static_cast<std::uint32_t>(std::lower_bound(times.begin(), times.end(), time) -
                                      times.begin());
  };
  std::vector<jepsen::Call> places;
  for (const RegisterCall& call : calls)
    places.push_back(
        {place(call.invoked), call.returned == kOpen ? UINT32_MAX : place(call.returned)});
  return places;
}

/// Numbers for the values of one key, in the order in which they are met.
class Numbers {
 public:
  std::uint32_t of(const std::optional<std::string>& value) {
    if (!value) return 0;
    return numbers_.emplace(*value, static_cast<std::uint32_t>(numbers_.size() + 1)).first->second;
  }

 private:
  std::map<std::string, std::uint32_t> numbers_;
};

const Seen* seen_of(const Operation& operation, const std::string& key) {
  for (const Seen& seen : operation.seen) {
    if (seen.key == key) return &seen;
  }
  return nullptr;
}

/// Of its own, not a range of them.
bool has_key(const Operation& operation) {
  return operation.verb != Verb::kRange && operation.verb != Verb::kPastRange &&
         operation.verb != Verb::kCompact;
}

bool touches(const Operation& operation, const std::string& key) {
  if (!operation.is_current() || operation.verb == Verb::kCompact) return false;
  if (operation.verb != Verb::kRange) return operation.key == key;
  return operation.key <= key && key < operation.end;
}

}  // namespace

Linearizable check_register(std::vector<RegisterCall> calls, std::size_t max_states) {
  RegisterModel model(calls);
  jepsen::SearchBounds bounds;
  bounds.states_max = max_states;
  switch (jepsen::search(places_of(calls), model, bounds).answer) {
    case jepsen::SearchResult::Answer::kYes:
      return Linearizable::kYes;
    case jepsen::SearchResult::Answer::kNo:
      return Linearizable::kNo;
    case jepsen::SearchResult::Answer::kUndecided:
      break;
  }
  return Linearizable::kUndecided;
}

std::vector<RegisterCall> calls_on(const History& history, const std::string& key,
                                   const std::vector<bool>& happened) {
  std::vector<std::size_t> all(history.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return calls_on(history, key, happened, all);
}

std::map<std::string, std::vector<std::size_t>> places_of_keys(const History& history) {
  std::map<std::string, std::vector<std::size_t>> places;
  for (const Operation& operation : history) {
    if (has_key(operation)) places[operation.key];
  }
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    if (operation.verb == Verb::kPastRange || operation.verb == Verb::kCompact) continue;
    if (has_key(operation)) {
      places[operation.key].push_back(i);
      continue;
    }
    auto at = places.lower_bound(operation.key);
    for (; at != places.end() && at->first < operation.end; ++at) at->second.push_back(i);
  }
  return places;
}

std::vector<RegisterCall> calls_on(const History& history, const std::string& key,
                                   const std::vector<bool>& happened,
                                   const std::vector<std::size_t>& places) {
  using Kind = RegisterCall::Kind;
  CHECK(happened.size() == history.size());
  Numbers numbers;
  std::vector<RegisterCall> calls;
  for (const std::size_t i : places) {
    const Operation& operation = history[i];
    if (!touches(operation, key)) continue;
    if (operation.open() && (!operation.writes() || !happened[i])) continue;
    const Seen* seen = seen_of(operation, key);
    const std::uint32_t saw = numbers.of(seen ? seen->value : std::nullopt);
    RegisterCall call{Kind::kRead, 0, saw, {}, operation.invoked, operation.returned, i};
    if (operation.verb == Verb::kPut || operation.verb == Verb::kDelete) {
      call.kind = Kind::kWrite;
      call.value = operation.verb == Verb::kPut ? numbers.of(operation.value) : 0;
      if (!operation.open() && operation.asked_previous) call.previous = saw;
    } else if (operation.verb == Verb::kCas) {
      call.expected = numbers.of(operation.expected);
      call.kind = operation.open() || operation.wrote ? Kind::kCas : Kind::kFailedCas;
      if (call.kind == Kind::kCas) call.value = numbers.of(operation.value);
    }
    calls.push_back(call);
  }
  return calls;
}

}  // namespace sim
