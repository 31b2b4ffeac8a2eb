// The bench of these tests: one member of a cluster whose other members are the test itself, so
// that logs and messages can be exactly those of the paper's sentence. What needs whole clusters
// uses tests/raft/cluster.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raft/core.h"

namespace raft::paper {

/// Terms of entries from index 1 on, as the paper's figures draw logs.
using Terms = std::vector<std::uint64_t>;

/// A log with these terms. Logs that agree up to an index hold the same entries up to there.
std::vector<EntryPtr> make_log(const Terms& terms);
/// The terms of a log.
Terms terms_of(const std::vector<EntryPtr>& log);
/// Voters 1 to `size`, bound.
Configuration voters(std::uint64_t size);
/// Voters of these ids, bound.
Configuration voters(const std::vector<std::uint64_t>& ids);

struct Begin {
  Terms log = {};
  std::uint64_t term = 0;  // zero: that of the last entry
  std::uint64_t vote = 0;
  std::uint64_t size = 3;
  std::optional<Configuration> configuration = {};  // instead of voters 1 to size
};

/// Member 1. Writes complete when persist() says so, applies when apply() says so.
class OneMember {
 public:
  explicit OneMember(const Begin& begin = {});

  Output step(Input input);
  /// A tick of 10 ms at a time.
  void tick(std::uint32_t ticks);
  /// Ticks until it has `role`; false if it does not within 20 T.
  bool tick_until(Role role);
  Output hear(std::uint64_t from, std::uint64_t term, MessageBody body);
  /// Everything that was asked for is durable; what waited for it is sent.
  void persist();
  void apply();
  /// hear() and persist().
  void tell(std::uint64_t from, std::uint64_t term, MessageBody body);
  /// As tell(), from a leader whose log is `log`: what follows `previous`, up to `last`.
  void append_from(std::uint64_t leader, std::uint64_t term, const std::vector<EntryPtr>& log,
                   std::uint64_t previous, std::uint64_t last, std::uint64_t commit = 0);
  /// Elects it: both votes of `voters` others are given.
  void lead(const std::vector<std::uint64_t>& voters = {2});
  /// Elects it; its first entry is committed, and what it sent for that forgotten.
  void lead_and_commit();
  /// A follower has everything up to `match`.
  void acknowledge(std::uint64_t from, std::uint64_t match);
  void reject(std::uint64_t from, std::uint64_t previous, std::uint64_t hint);
  void support(std::uint64_t from);
  std::uint64_t propose(const std::string& payload);
  /// Ends the process and opens what is durable again: a new opening.
  void restart();

  CoreStatus status() const { return core_->status(); }
  Terms log() const { return terms_of(log_); }
  const std::vector<EntryPtr>& entries() const { return log_; }
  const HardState& durable() const { return hard_state_; }
  const std::vector<EntryPtr>& applied() const { return applied_; }
  /// What was sent since the last call.
  std::vector<Message> take_sent();
  /// Of those, the bodies of one kind to one member (0: to all).
  template <class Body>
  std::vector<Body> sent(std::uint64_t to = 0) const {
    std::vector<Body> found;
    for (const Message& message : sent_) {
      const auto* body = std::get_if<Body>(&message.body);
      if (body != nullptr && (to == 0 || message.to == MemberId(to))) found.push_back(*body);
    }
    return found;
  }
  const std::vector<ReadOutcome>& reads() const { return reads_; }
  const std::vector<ProposalOutcome>& outcomes() const { return outcomes_; }

 private:
  void open(const HardState& hard_state, Ordinal ordinal, const std::vector<EntryPtr>& log);
  void take(const Output& output);

  Options options_;
  Configuration configuration_;
  std::unique_ptr<Core> core_;
  std::uint64_t epoch_ = 0;
  Ordinal durable_;
  HardState hard_state_;       // durable
  std::vector<EntryPtr> log_;  // asked for, durable or not
  std::vector<EntryPtr> durable_log_;
  std::vector<PersistRequest> writes_;
  std::vector<DeferredMessage> deferred_;
  std::vector<EntryPtr> to_apply_;
  std::vector<EntryPtr> applied_;
  std::vector<Message> sent_;
  std::vector<ReadOutcome> reads_;
  std::vector<ProposalOutcome> outcomes_;
  std::uint64_t next_id_ = 1;
};

}  // namespace raft::paper
