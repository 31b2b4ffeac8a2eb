#include "raft/invariants.h"

#include "base/check.h"

namespace raft {
namespace {

void check_counters(const Watermarks& before, const Watermarks& after) {
  CHECK(after.hard_state.term >= before.hard_state.term, "the term never falls");
  const bool same_term = after.hard_state.term == before.hard_state.term;
  CHECK(!same_term || !before.hard_state.vote || before.hard_state == after.hard_state,
        "a vote is given once a term");
  CHECK(after.commit >= before.commit, "the commit index never falls");
  CHECK(after.applied >= before.applied, "the applied index never falls");
  CHECK(after.commit <= after.last, "what is committed is in the log");
  CHECK(after.applied <= after.commit && after.applied <= after.apply_asked,
        "only what is committed and was asked for is applied");
  CHECK(after.apply_asked <= after.commit, "only what is committed is handed to apply");
  CHECK(after.first >= before.first, "the log is cut at its beginning only");
  CHECK(after.asked >= before.asked && after.durable >= before.durable, "ordinals never fall");
  CHECK(after.durable <= after.asked, "nothing is durable that was not asked for");
  CHECK(!after.log_complete || after.cached_from <= after.apply_asked.next(),
        "entries that are yet to be applied are in memory");
}

/// Rule 1: what leaves now rests on nothing that is not durable.
void check_sends(const Watermarks& after, const Output& output) {
  for (const Message& message : output.send) {
    const bool refusal = std::holds_alternative<Refusal>(message.body);
    CHECK(refusal || after.term_durable, "a term that is not durable sends nothing but refusals");
  }
  for (const DeferredMessage& deferred : output.send_once_persisted) {
    CHECK(deferred.after > after.durable && deferred.after <= after.asked,
          "a deferred message waits for something that is outstanding");
  }
  CHECK(output.apply.empty() || after.term_durable,
        "nothing is applied in a term that is not durable");
}

}  // namespace

void check_step(const Watermarks& before, const Watermarks& after, const Output& output) {
  check_counters(before, after);
  check_sends(after, output);
  for (const PersistRequest& request : output.persist) {
    CHECK(request.ordinal > before.asked && request.ordinal <= after.asked, "ordinals grow");
    CHECK(!request.truncate_from || *request.truncate_from > before.commit,
          "committed entries are never truncated");
  }
}

}  // namespace raft
