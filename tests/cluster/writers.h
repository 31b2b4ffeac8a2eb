// Clients that write for as long as they are let, each key once, and remember how each write ended:
// the history that the tests check against what the cluster holds. On a thread of their own.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"

namespace cluster {

enum class Fate : std::uint8_t { kAcknowledged, kRefused, kUnknown };

struct Write {
  Fate fate = Fate::kUnknown;
  std::string value;
  std::uint64_t revision = 0;  // of an acknowledged one
  std::uint64_t ended_ms = 0;  // when its outcome was known
};

/// Key to write. Each key is put by one call without a compare, so that its version tells how often
/// that happened.
using History = std::map<std::string, Write>;
/// Key to the writes that one client tried on it, one after the other: plain puts of even clients,
/// compare-and-swap of odd ones.
using Registers = std::map<std::string, std::vector<Write>>;

struct WritersOptions {
  std::vector<std::string> endpoints;
  std::string prefix = "w/";    // of the keys; those that are overwritten have "r" before it
  std::uint32_t clients = 4;    // each with a session
  std::uint32_t in_flight = 4;  // calls a client
  std::uint32_t timeout_ms = 5000;
  std::size_t value_bytes = 100;
};

/// Invariant: the history is the thread's until stop() has returned.
class Writers {
 public:
  explicit Writers(WritersOptions options);
  ~Writers() { stop(); }
  /// Waits for the calls in flight, then ends the thread. Nothing if it was called before.
  void stop();

  std::uint64_t acknowledged() const { return acknowledged_.load(); }
  std::uint64_t refused() const { return refused_.load(); }
  std::uint64_t unknown() const { return unknown_.load(); }
  /// When the last acknowledgement came; 0: none yet.
  std::uint64_t last_acknowledged_ms() const { return last_acknowledged_ms_.load(); }
  /// Requires: stopped.
  const History& history() const { return history_; }
  /// Requires: stopped.
  const Registers& registers() const { return registers_; }
  /// The longest time between two acknowledgements, of which the later came in [since, until), or
  /// from the last in it to its end, if that is given.
  /// Requires: stopped.
  std::uint64_t longest_gap_ms(std::uint64_t since_ms, std::uint64_t until_ms = ~0ULL) const;

 private:
  class Run;
  const WritersOptions options_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> acknowledged_{0}, refused_{0}, unknown_{0};
  std::atomic<std::uint64_t> last_acknowledged_ms_{0};
  History history_;
  Registers registers_;
  std::vector<std::uint64_t> acknowledged_at_ms_;
  std::thread thread_;
};

/// What the cluster holds under the prefix, read linearizably, against the history: every
/// acknowledged write is there, whole, once, at its revision; no refused one is; each unknown one
/// is there once or not at all; nothing else is. Returns what is wrong, at most twenty lines.
std::vector<std::string> compare_with_cluster(const History& history, const std::string& prefix,
                                              const std::vector<std::string>& endpoints);
/// The same of keys that were overwritten: the value is that of the last acknowledged write or of
/// an unknown one after it, never of a refused one; the version counts each acknowledged write once
/// and each unknown one at most once. `prefix`: as in WritersOptions.
std::vector<std::string> compare_registers(const Registers& registers, const std::string& prefix,
                                           const std::vector<std::string>& endpoints);

}  // namespace cluster
