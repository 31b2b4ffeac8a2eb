// Faults that are injected into the links to other members and to clients, each direction on its
// own. Set by any thread; felt by the sockets of the loop thread and the door thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include "base/fault_switch.h"
#include "base/ids.h"

namespace net {

enum class LinkFault : std::uint8_t {
  kCut,        // nothing passes, and nobody is told
  kReset,      // connections break
  kDelay,      // by strength milliseconds, and up to half as much more
  kLoss,       // of strength percent, felt as TCP feels it (net/pacer.cc)
  kRate,       // strength bytes a second
  kLargeLost,  // what is larger than 1,400 bytes never arrives, nor anything after it
  kCorrupt,    // one bit of what is written together flips
};
inline constexpr std::size_t kLinkFaults = 7;
/// In place of another member: whoever calls this one as a client does.
inline constexpr base::MemberId kClients(~std::uint64_t{0});
/// Out: from this member to the other.
enum class Direction : std::uint8_t { kOut, kIn };

/// What meets one direction of one link now; a strength of 0: not that.
struct Impairment {
  bool cut = false;
  bool reset = false;
  bool large_lost = false;
  bool corrupt = false;
  std::uint64_t delay_ms = 0;
  std::uint64_t loss_percent = 0;
  std::uint64_t rate_bytes_s = 0;

  bool any() const {
    return cut || reset || large_lost || corrupt || delay_ms || loss_percent || rate_bytes_s;
  }
};

/// Invariant: while nothing is on, any() is one relaxed load, but for the first time after the last
/// one ended by itself, and on() is not asked.
class LinkFaults {
 public:
  struct State {
    LinkFault fault;
    base::MemberId peer;
    Direction direction;
    std::uint64_t strength, left_ms, hits;
  };

  /// For `for_ms`, FaultSwitch::kForever: until it is cleared.
  void set(LinkFault fault, base::MemberId peer, Direction direction, std::uint64_t strength,
           std::uint64_t for_ms);
  /// None: every one.
  void clear(std::optional<LinkFault> fault);

  /// Whether anything is on now.
  bool any() const { return any_.load(std::memory_order_relaxed) && look(); }
  Impairment on(base::MemberId peer, Direction direction) const;
  /// It took effect once more.
  void hit(LinkFault fault, base::MemberId peer, Direction direction);
  /// Those that are on, and those that were and caught something.
  std::vector<State> list() const;

 private:
  using Key = std::tuple<LinkFault, base::MemberId, Direction>;

  bool look() const;

  mutable std::atomic<bool> any_{false};  // when anybody last looked; stored under mutex_
  mutable std::mutex mutex_;
  std::map<Key, std::unique_ptr<base::FaultSwitch>> switches_;  // guarded by mutex_
};

}  // namespace net
