// What the operations of a history do to the keys of one copy of the data: registers, lists, sets,
// a mutex. Pure; any thread.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "jepsen/check/search.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Registers begin with `initial`, lists and sets empty, a mutex free.
class StoreModel final : public Model {
 public:
  /// `operations`: numbers in the history, of which call i is the i-th.
  StoreModel(const History& history, std::vector<std::uint32_t> operations, std::int64_t initial);

  std::uint32_t initial() override { return 0; }
  std::optional<std::uint32_t> step(std::uint32_t state, std::size_t call) override;
  bool only_reads(std::size_t call) override;
  /// As many as there are operations.
  std::vector<Call> calls() const;
  std::uint32_t operation(std::size_t call) const { return operations_[call]; }

 private:
  /// Of each key one number: the value of a register, or of a list or set its number.
  using Cells = std::vector<std::int64_t>;
  using Elements = std::vector<std::int64_t>;
  struct HashOf {
    std::size_t operator()(const std::vector<std::int64_t>& numbers) const;
  };
  bool apply(const Micro& micro, Cells& cells);
  std::int64_t number_of(Elements elements);
  Elements read(const Micro& micro) const;

  const History& history_;
  const std::vector<std::uint32_t> operations_;
  std::map<std::uint32_t, std::size_t> places_;  // of keys
  std::vector<Cells> states_;
  std::unordered_map<Cells, std::uint32_t, HashOf> numbers_;  // of states
  std::vector<Elements> lists_;
  std::unordered_map<Elements, std::int64_t, HashOf> list_numbers_;
};

bool only_reads(const History& history, const Operation& operation);

/// Operations that may be looked at apart from each other, since they share no key: those on one
/// key, mostly. What can have had no effect and says nothing is left out: failed ones, reads that
/// are open.
std::vector<std::vector<std::uint32_t>> independent_parts(const History& history);

}  // namespace jepsen
