// Pulling the log before a candidacy (reference failures.md section 5; DESIGN section 6, rule 10):
// a member that reaches a majority and could not win, because somebody's log is ahead of its own,
// fetches what it lacks first. Without it the one member that is connected to everybody may be the
// one that is stale, and nobody could ever be elected. docs/decisions/0009 says why it is safe.
// Pure.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"
#include "raft/names.h"

namespace raft {
namespace {

/// Gathered before it is ahead of the own log. A suffix that needs more stays as it is.
constexpr std::size_t kGatherBytes = std::size_t{8} << 20;

bool ahead(Term term, Index index, const Log& log) {
  return std::pair(term, index) > std::pair(log.last_term(), log.last());
}

}  // namespace

// ---- Asking ----

/// After an answer to a pre-vote, which says where the other's log ends.
void Core::Impl::consider_pull(const Message& message, const RequestVoteReply& body) {
  auto& pre = std::get<PreCandidate>(role_);
  if (!options_.pull_before_candidacy || !may_campaign()) return;
  const auto end = std::pair(body.last_term, body.last_index);
  if (!body.granted && peer_counts(message.from) && end > pre.ahead_end &&
      ahead(body.last_term, body.last_index, log_)) {
    pre.ahead = message.from;
    pre.ahead_end = end;
  }
  // Only who reaches a majority could lead with what it fetches.
  const bool connected =
      elects([&](MemberId id) { return id == options_.self || pre.answered.contains(id); });
  if (!pre.ahead || !connected || pre.pull) return;
  pre.pull = PullInProgress{pre.ahead, log_.last(), {}, 0};
  ask_for_entries();
}

void Core::Impl::ask_for_entries() {
  const PullInProgress& pull = *std::get<PreCandidate>(role_).pull;
  Pull body{pull.agreed, Term(), ChainHash()};
  if (pull.gathered.empty()) {
    body.previous_term = log_.term_at(pull.agreed);
    body.previous_hash = log_.hash_at(pull.agreed);
  } else {
    const Entry& last = *pull.gathered.back();
    body = {last.index, last.term, last.hash};
  }
  send(pull.from, body);
}

void Core::Impl::on_message(const Message& message, const PullReply& body) {
  auto* pre = std::get_if<PreCandidate>(&role_);
  if (pre == nullptr || !pre->pull || pre->pull->from != message.from) return;
  PullInProgress& pull = *pre->pull;
  const Index asked = pull.gathered.empty() ? pull.agreed : pull.gathered.back()->index;
  if (body.previous_index != asked) return;  // of an earlier question
  if (!body.agrees) {
    // Below the own commit index nothing may be replaced: there the logs must agree.
    const Index next = std::max(commit_, std::min(body.hint, asked.previous()));
    if (!pull.gathered.empty() || !asked || next >= asked) {
      pre->pull.reset();
      return;
    }
    pull.agreed = next;
    return ask_for_entries();
  }
  if (body.entries.empty() || !follows(pull, body)) {
    pre->pull.reset();
    return;
  }
  for (const EntryPtr& entry : body.entries) {
    pull.bytes += entry->size_bytes();
    pull.gathered.push_back(entry);
  }
  const Entry& last = *pull.gathered.back();
  if (ahead(last.term, last.index, log_)) return adopt_pulled();
  if (pull.bytes > kGatherBytes) {
    pre->pull.reset();
    return;
  }
  ask_for_entries();
}

/// Whether the entries continue the chain from the point that both logs hold.
bool Core::Impl::follows(const PullInProgress& pull, const PullReply& body) const {
  AppendEntries chain;
  chain.entries = body.entries;
  if (pull.gathered.empty()) {
    chain.previous_index = pull.agreed;
    chain.previous_term = log_.term_at(pull.agreed);
    chain.previous_hash = log_.hash_at(pull.agreed);
  } else {
    const Entry& last = *pull.gathered.back();
    chain.previous_index = last.index;
    chain.previous_term = last.term;
    chain.previous_hash = last.hash;
  }
  return sound(Term(~std::uint64_t{0}), chain);
}

/// All of it in one write. It acknowledges nothing and commits nothing: nobody counts this member's
/// log until a leader has matched it, and whoever has matched it before is believed no more if that
/// does not hold any longer.
void Core::Impl::adopt_pulled() {
  const PullInProgress pull = *std::move(std::get<PreCandidate>(role_).pull);
  CHECK(pull.agreed >= commit_, "nothing committed is replaced");
  const bool replaces = pull.agreed < log_.last();
  // In an entry's term its leader stood: this member takes part in it, and votes once there.
  Term next = pull.gathered.back()->term;
  // What is replaced may have been acknowledged to a leader of the own term, who goes on believing
  // so and tells how far that is committed. Entries of its own term hold all of it; older ones do
  // not, and so this member leaves the term.
  if (replaces && next < term()) next = term().next();
  if (next > term()) set_hard_state({next, MemberId(), Opening()});
  if (replaces) truncate(pull.agreed.next());
  for (const EntryPtr& entry : pull.gathered) append_entry(entry);
  trace(TraceKind::kPulled, log_.last(), pull.from);
  if (may_campaign()) {
    become_pre_candidate();
  } else {
    become_follower(term(), MemberId(), "");
  }
}

// ---- Answering ----

/// Anybody may ask: what is in a log is no secret among members. Entries that are only on disk are
/// not loaded for this; whoever asked waits for a leader then.
void Core::Impl::on_message(const Message& message, const Pull& body) {
  PullReply answer;
  answer.previous_index = body.previous_index;
  answer.last_index = log_.last();
  answer.last_term = log_.last_term();
  const Index previous = body.previous_index;
  const bool known = previous <= log_.last() && log_.knows(previous);
  answer.agrees = known && log_.term_at(previous) == body.previous_term &&
                  log_.hash_at(previous) == body.previous_hash;
  if (answer.agrees) {
    const Index from = previous.next();
    if (from >= log_.cached_from() && from <= log_.last()) {
      answer.entries = log_.slice(from, options_.append_bytes);
    }
  } else if (!known) {
    answer.hint = log_.last();
  } else {
    answer.hint = log_.first_of_term_at(previous).previous();
  }
  reply(message, std::move(answer));
}

}  // namespace raft
