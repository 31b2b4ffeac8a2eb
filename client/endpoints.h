// Which member to talk to: the addresses that are known, who leads, who does not answer. Pure: the
// time is passed in, in milliseconds of any monotonic clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace client {

/// Invariants:
/// - an address that is put aside is never believed to lead;
/// - putting aside is a preference with an end, never a ban: each is asked again after at most
///   kAsideMaxMs, so a member that comes back is found.
class Endpoints {
 public:
  static constexpr std::uint64_t kAskAgainMs = 50;
  static constexpr std::uint64_t kAsideMinMs = 100;
  static constexpr std::uint64_t kAsideMaxMs = 250;

  /// Requires: seeds is not empty.
  explicit Endpoints(const std::vector<std::string>& seeds);

  /// Adds an address, if it is new and not empty.
  void learn(const std::string& address);
  /// The endpoint answered something.
  void heard(const std::string& address, std::uint64_t now_ms);
  /// The endpoint cannot be reached or does not answer: put aside, longer each time in a row.
  void failed(const std::string& address, const std::string& reason, std::uint64_t now_ms);

  /// The endpoint says that it leads in `term`. Believed unless another leads in a higher one.
  void claims(const std::string& address, base::Term term, std::uint64_t now_ms);
  /// The endpoint says that it does not lead. `why` is kept for describe().
  void denies(const std::string& address, const std::string& why, std::uint64_t now_ms);
  /// Another member says that `address` leads: believed, unconfirmed, if nobody is believed to and
  /// it has not failed since it was last heard (followers go on naming a dead leader for a while).
  /// Returns whether it is believed now.
  bool hint(const std::string& address);

  /// Where to send what only a leader takes.
  const std::optional<std::string>& leader() const { return leader_; }
  /// Whether the leader itself said so.
  bool confirmed() const { return leader_.has_value() && confirmed_; }
  /// Whether a leader was seen, or anything heard, at `since_ms` or later.
  bool leader_seen_since(std::uint64_t since_ms) const;
  bool heard_since(std::uint64_t since_ms) const;

  /// An endpoint for what any member answers: the leader, or the one that answered last; none while
  /// nobody has answered or all are put aside.
  std::optional<std::string> any(std::uint64_t now_ms) const;
  /// The endpoints whose status to ask now while nobody leads; each counts as asked.
  std::vector<std::string> due(std::uint64_t now_ms);

  std::vector<std::string> addresses() const;
  /// "127.0.0.1:7400: connection refused; 127.0.0.1:7410: follower", for error messages.
  std::string describe() const;

 private:
  struct Endpoint {
    std::string address;
    std::uint64_t aside_until_ms = 0;
    std::uint64_t ask_at_ms = 0;
    std::uint64_t heard_ms = 0;
    std::uint32_t failures = 0;  // in a row
    std::string note = "not asked yet";
  };
  Endpoint& find(const std::string& address);
  bool aside(const Endpoint& endpoint, std::uint64_t now_ms) const;
  void forget_leader(const std::string& address);

  std::vector<Endpoint> endpoints_;
  std::optional<std::string> leader_;
  bool confirmed_ = false;
  base::Term leader_term_;
  std::optional<std::uint64_t> leader_seen_ms_;
  std::optional<std::uint64_t> heard_ms_;
};

}  // namespace client
