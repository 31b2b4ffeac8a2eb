// Is there an order of these calls, each somewhere between its begin and its end, in which a model
// explains them all? The search of Wing and Gong with Lowe's memory of what was tried ("Testing for
// linearizability", 2017; Horn and Kroening, "Faster linearizability checking via
// P-compositionality", 2015). Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace jepsen {

/// Places in time; `returned` UINT32_MAX: it may happen at any later time, or never.
struct Call {
  std::uint32_t invoked = 0, returned = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual std::uint32_t initial() = 0;
  /// The state after the call of this number; nullopt: it cannot have happened in `state`. The same
  /// arguments give the same answer.
  virtual std::optional<std::uint32_t> step(std::uint32_t state, std::size_t call) = 0;
  /// Whether it leaves every state as it is. (A write of what is there already is no such call: it
  /// may be needed later.)
  virtual bool only_reads(std::size_t call) = 0;
};

struct SearchBounds {
  std::size_t states_max = 32'000'000;  // 32 bytes each at most
  std::function<bool()> expired;        // asked now and then; null: never
};

struct SearchResult {
  enum class Answer : std::uint8_t { kYes, kNo, kUndecided };
  Answer answer = Answer::kYes;
  std::vector<std::size_t> order;  // of calls: all (kYes), or the longest that was found
  std::size_t stuck = 0;           // kNo: the call that could not be placed after `order`
  std::size_t states = 0;          // that were looked at
};

/// Calls that only read are placed as soon as they can be: that is never wrong, and only the others
/// are tried in several orders. States are remembered by a hash of 128 bits: two of
/// n states are taken for one with a probability of n² / 2^129.
SearchResult search(const std::vector<Call>& calls, Model& model, const SearchBounds& bounds = {});

}  // namespace jepsen
