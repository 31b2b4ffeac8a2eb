#include "jepsen/check/store_model.h"

#include <algorithm>
#include <numeric>

namespace jepsen {

using Kind = Micro::Kind;

namespace {

bool is_collection(Kind kind) {
  return kind == Kind::kAppend || kind == Kind::kList || kind == Kind::kAdd ||
         kind == Kind::kMembers || kind == Kind::kVersions;
}

bool says_something(const History& history, const Operation& operation) {
  if (operation.end == End::kFail || operation.stale) return false;
  for (const Micro& micro : history.micros_of(operation)) {
    if (micro.writes() || micro.kind == Kind::kAcquire || micro.kind == Kind::kRelease) return true;
    if (operation.end == End::kOk && micro.reads() && micro.kind != Kind::kVersions) return true;
  }
  return false;
}

}  // namespace

std::size_t StoreModel::HashOf::operator()(const std::vector<std::int64_t>& numbers) const {
  std::uint64_t hash = 0x9e3779b97f4a7c15u + numbers.size();
  for (const std::int64_t number : numbers) {
    hash = (hash ^ static_cast<std::uint64_t>(number)) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return hash;
}

StoreModel::StoreModel(const History& history, std::vector<std::uint32_t> operations,
                       std::int64_t initial)
    : history_(history), operations_(std::move(operations)) {
  Cells cells;
  lists_.emplace_back();
  list_numbers_[Elements{}] = 0;
  for (const std::uint32_t i : operations_) {
    for (const Micro& micro : history_.micros_of(history_.operations[i])) {
      const auto [place, added] = places_.emplace(micro.key, places_.size());
      if (!added) continue;
      const bool mutex = micro.kind == Kind::kAcquire || micro.kind == Kind::kRelease;
      cells.push_back(mutex || is_collection(micro.kind) ? 0 : initial);
    }
  }
  states_.push_back(cells);
  numbers_[cells] = 0;
}

std::vector<Call> StoreModel::calls() const {
  std::vector<Call> calls;
  for (const std::uint32_t i : operations_)
    calls.push_back({history_.operations[i].invoked, history_.operations[i].returned});
  return calls;
}

std::int64_t StoreModel::number_of(Elements elements) {
  const auto found = list_numbers_.find(elements);
  if (found != list_numbers_.end()) return found->second;
  const auto number = static_cast<std::int64_t>(lists_.size());
  lists_.push_back(elements);
  list_numbers_.emplace(std::move(elements), number);
  return number;
}

StoreModel::Elements StoreModel::read(const Micro& micro) const {
  const auto elements = history_.elements_of(micro);
  return {elements.begin(), elements.end()};
}

bool StoreModel::apply(const Micro& micro, Cells& cells) {
  std::int64_t& cell = cells[places_.at(micro.key)];
  // A history may use one key for several things, and then nothing explains it.
  if (is_collection(micro.kind) && (cell < 0 || static_cast<std::size_t>(cell) >= lists_.size()))
    return false;
  switch (micro.kind) {
    case Kind::kUnread:
    case Kind::kVersions:
      return true;
    case Kind::kRead:
      return cell == micro.value;
    case Kind::kWrite:
      cell = micro.value;
      return true;
    case Kind::kCas:
      if (cell != micro.expected) return false;
      cell = micro.value;
      return true;
    case Kind::kMiss:
      return cell == micro.value && cell != micro.expected;
    case Kind::kAcquire:
    case Kind::kRelease:
      if (cell != (micro.kind == Kind::kRelease ? 1 : 0)) return false;
      cell = 1 - cell;
      return true;
    case Kind::kList:
      return std::ranges::equal(lists_[static_cast<std::size_t>(cell)],
                                history_.elements_of(micro));
    case Kind::kMembers: {
      Elements elements = read(micro);
      std::sort(elements.begin(), elements.end());
      return lists_[static_cast<std::size_t>(cell)] == elements;
    }
    case Kind::kAppend:
    case Kind::kAdd: {
      Elements elements = lists_[static_cast<std::size_t>(cell)];
      elements.push_back(micro.value);
      if (micro.kind == Kind::kAdd) {
        std::sort(elements.begin(), elements.end());
        elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
      }
      cell = number_of(std::move(elements));
      return true;
    }
  }
  return false;
}

std::optional<std::uint32_t> StoreModel::step(std::uint32_t state, std::size_t call) {
  const Operation& operation = history_.operations[operations_[call]];
  Cells cells = states_[state];
  for (const Micro& micro : history_.micros_of(operation)) {
    // What one with an unknown end would have read is not known.
    if (operation.end != End::kOk && micro.reads()) continue;
    if (!apply(micro, cells)) return std::nullopt;
  }
  const auto found = numbers_.find(cells);
  if (found != numbers_.end()) return found->second;
  const auto number = static_cast<std::uint32_t>(states_.size());
  states_.push_back(cells);
  numbers_.emplace(std::move(cells), number);
  return number;
}

bool only_reads(const History& history, const Operation& operation) {
  const auto micros = history.micros_of(operation);
  return std::none_of(micros.begin(), micros.end(), [](const Micro& micro) {
    return micro.writes() || micro.kind == Kind::kAcquire || micro.kind == Kind::kRelease;
  });
}

bool StoreModel::only_reads(std::size_t call) {
  return jepsen::only_reads(history_, history_.operations[operations_[call]]);
}

std::vector<std::vector<std::uint32_t>> independent_parts(const History& history) {
  std::vector<std::uint32_t> root(history.keys.size());
  std::iota(root.begin(), root.end(), 0u);
  const auto find = [&](std::uint32_t key) {
    while (root[key] != key) key = root[key] = root[root[key]];
    return key;
  };
  for (const Operation& operation : history.operations) {
    if (!says_something(history, operation)) continue;
    const auto micros = history.micros_of(operation);
    for (const Micro& micro : micros) root[find(micro.key)] = find(micros.front().key);
  }
  std::vector<std::vector<std::uint32_t>> of_root(root.size());
  for (std::uint32_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history.operations[i];
    if (says_something(history, operation))
      of_root[find(history.micros_of(operation).front().key)].push_back(i);
  }
  std::erase_if(of_root, [](const auto& part) { return part.empty(); });
  return of_root;
}

}  // namespace jepsen
