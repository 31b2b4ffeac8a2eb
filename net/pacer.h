// When bytes that were written may leave, where a fault says that they leave late or not at all.
// Bytes keep their order, as TCP has it. No clock of its own. Loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/random.h"
#include "net/link_faults.h"

namespace net {

/// What is larger does not pass an MTU hole.
inline constexpr std::size_t kPacketBytes = 1400;

/// Invariant: what was written first is due first; once no fault is on everything is due.
class Pacer {
 public:
  explicit Pacer(std::uint64_t seed) : random_(seed) {}

  /// So many bytes were written together now.
  void written(std::size_t bytes, std::uint64_t now_us, const Impairment& impairment);
  /// How many of the oldest bytes may leave now. They are forgotten here.
  std::size_t take_due(std::uint64_t now_us, const Impairment& impairment);
  /// When to ask again; none: nothing waits. Never later than a fault's end is to be noticed.
  std::optional<std::uint64_t> ask_again_us(std::uint64_t now_us) const;
  /// Of what was written last.
  std::uint64_t due_us() const { return held_.empty() ? 0 : held_.back().due_us; }
  /// Of what is written together: which bit flips.
  std::uint64_t draw(std::uint64_t bound) { return random_.below(bound); }

 private:
  struct Held {
    std::size_t bytes;
    std::uint64_t due_us;
  };
  bool arrives(const Impairment& impairment);
  void lose(std::uint64_t now_us, const Impairment& impairment);

  base::Random random_;
  std::deque<Held> held_;
  std::uint64_t last_due_us_ = 0;
  std::uint64_t stalled_until_us_ = 0;  // by a lost segment
};

}  // namespace net
