#include "tests/paper/one_member.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/check.h"

namespace raft::paper {
namespace {

Incarnation incarnation_of(std::uint64_t id) {
  return Incarnation(100 + id);
}

void change(std::vector<EntryPtr>& log, const PersistRequest& request) {
  if (request.restart) log.clear();
  if (request.truncate_from) {
    while (!log.empty() && log.back()->index >= *request.truncate_from) log.pop_back();
  }
  log.insert(log.end(), request.entries.begin(), request.entries.end());
}

}  // namespace

std::vector<EntryPtr> make_log(const Terms& terms) {
  std::vector<EntryPtr> log;
  ChainHash hash;
  for (const std::uint64_t term : terms) {
    auto entry = std::make_shared<Entry>();
    entry->term = Term(term);
    entry->index = Index(log.size() + 1);
    entry->kind = EntryKind::kCommand;
    entry->time = base::HybridTime((log.size() + 1) << 16);
    entry->payload = "index " + std::to_string(log.size() + 1) + " of term " + std::to_string(term);
    entry->hash = hash = chain_hash(hash, *entry);
    log.push_back(std::move(entry));
  }
  return log;
}

Terms terms_of(const std::vector<EntryPtr>& log) {
  Terms terms;
  for (const EntryPtr& entry : log) terms.push_back(entry->term.value);
  return terms;
}

Configuration voters(const std::vector<std::uint64_t>& ids) {
  Configuration configuration;
  for (const std::uint64_t id : ids) {
    configuration.voters.push_back({MemberId(id), incarnation_of(id)});
  }
  return configuration;
}

Configuration voters(std::uint64_t size) {
  std::vector<std::uint64_t> ids;
  for (std::uint64_t id = 1; id <= size; ++id) ids.push_back(id);
  return voters(ids);
}

OneMember::OneMember(const Begin& begin)
    : configuration_(begin.configuration.value_or(voters(begin.size))) {
  options_.self = MemberId(1);
  options_.incarnation = incarnation_of(1);
  const std::uint64_t last_term = begin.log.empty() ? 0 : begin.log.back();
  const HardState state{Term(std::max(begin.term, last_term)), MemberId(begin.vote),
                        begin.vote != 0 ? Opening{1, begin.vote} : Opening()};
  open(state, Ordinal(), make_log(begin.log));
}

void OneMember::open(const HardState& hard_state, Ordinal ordinal,
                     const std::vector<EntryPtr>& log) {
  ++epoch_;
  options_.opening = Opening{epoch_, 1000 + epoch_};
  Recovered recovered;
  recovered.hard_state = hard_state_ = hard_state;
  recovered.ordinal = durable_ = ordinal;
  for (const EntryPtr& entry : log) {
    recovered.metas.push_back(
        {entry->term, entry->hash, static_cast<std::uint32_t>(entry->size_bytes())});
  }
  recovered.entries = log_ = durable_log_ = log;
  recovered.configuration = configuration_;
  core_ = std::make_unique<Core>(options_, std::move(recovered));
}

Output OneMember::step(Input input) {
  Output output = core_->step(std::move(input));
  take(output);
  return output;
}

void OneMember::take(const Output& output) {
  for (const PersistRequest& request : output.persist) {
    writes_.push_back(request);
    change(log_, request);
  }
  const auto add = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  add(deferred_, output.send_once_persisted);
  add(to_apply_, output.apply);
  add(sent_, output.send);
  add(reads_, output.reads);
  add(outcomes_, output.outcomes);
}

void OneMember::tick(std::uint32_t ticks) {
  for (std::uint32_t i = 0; i < ticks; ++i) step(Tick{});
}

bool OneMember::tick_until(Role role) {
  for (std::uint32_t i = 0; i < 20 * options_.election_ticks; ++i) {
    if (status().role == role) return true;
    tick(1);
    persist();
  }
  return false;
}

Output OneMember::hear(std::uint64_t from, std::uint64_t term, MessageBody body) {
  Message message;
  message.from = MemberId(from);
  message.to = MemberId(1);
  message.incarnation = incarnation_of(from);
  message.opening = Opening{1, from};
  message.to_opening = options_.opening;
  message.term = Term(term);
  message.body = std::move(body);
  return step(Receive{std::move(message)});
}

void OneMember::persist() {
  while (!writes_.empty()) {
    const auto writes = std::exchange(writes_, {});
    for (const PersistRequest& request : writes) {
      change(durable_log_, request);
      if (request.hard_state) hard_state_ = *request.hard_state;
      durable_ = request.ordinal;
    }
    for (const DeferredMessage& each : std::exchange(deferred_, {})) {
      if (each.after <= durable_) {
        sent_.push_back(each.message);
      } else {
        deferred_.push_back(each);
      }
    }
    step(Persisted{durable_});
  }
}

void OneMember::apply() {
  while (!to_apply_.empty()) {
    const auto batch = std::exchange(to_apply_, {});
    applied_.insert(applied_.end(), batch.begin(), batch.end());
    step(Applied{batch.back()->index});
  }
}

void OneMember::tell(std::uint64_t from, std::uint64_t term, MessageBody body) {
  hear(from, term, std::move(body));
  persist();
}

void OneMember::append_from(std::uint64_t leader, std::uint64_t term,
                            const std::vector<EntryPtr>& log, std::uint64_t previous,
                            std::uint64_t last, std::uint64_t commit) {
  AppendEntries body;
  body.previous_index = Index(previous);
  if (previous > 0) {
    body.previous_term = log.at(previous - 1)->term;
    body.previous_hash = log.at(previous - 1)->hash;
  }
  for (std::uint64_t i = previous; i < last; ++i) body.entries.push_back(log.at(i));
  body.commit = Index(commit);
  tell(leader, term, std::move(body));
}

void OneMember::lead(const std::vector<std::uint64_t>& voting) {
  ASSERT_TRUE(tick_until(Role::kPreCandidate));
  const std::uint64_t term = status().term.value + 1;
  for (const std::uint64_t id : voting) tell(id, term, RequestVoteReply{true, true, {}, {}});
  ASSERT_EQ(status().role, Role::kCandidate);
  for (const std::uint64_t id : voting) tell(id, term, RequestVoteReply{false, true, {}, {}});
  ASSERT_EQ(status().role, Role::kLeader);
}

void OneMember::lead_and_commit() {
  lead();
  acknowledge(2, status().last.value);
  EXPECT_EQ(status().commit, status().last);
  take_sent();
}

void OneMember::acknowledge(std::uint64_t from, std::uint64_t match) {
  AppendEntriesReply reply;
  reply.success = true;
  reply.match = Index(match);
  tell(from, status().term.value, std::move(reply));
}

void OneMember::reject(std::uint64_t from, std::uint64_t previous, std::uint64_t hint) {
  AppendEntriesReply reply;
  reply.match = Index(previous);
  reply.hint = Index(hint);
  tell(from, status().term.value, std::move(reply));
}

void OneMember::support(std::uint64_t from) {
  HeartbeatReply reply;
  for (const Heartbeat& heartbeat : sent<Heartbeat>(from)) reply.round = heartbeat.round;
  tell(from, status().term.value, std::move(reply));
}

std::uint64_t OneMember::propose(const std::string& payload) {
  const std::uint64_t id = next_id_++;
  step(Propose{{{id, base::HybridTime(), payload}}});
  return id;
}

void OneMember::restart() {
  CHECK(applied_.empty(), "the state does not outlive these restarts");
  writes_.clear();
  deferred_.clear();
  to_apply_.clear();
  sent_.clear();
  open(hard_state_, durable_, std::vector<EntryPtr>(durable_log_));
}

std::vector<Message> OneMember::take_sent() {
  return std::exchange(sent_, {});
}

}  // namespace raft::paper
