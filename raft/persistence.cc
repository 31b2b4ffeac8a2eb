#include "raft/persistence.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace raft {

Persistence::Persistence(Opening opening, Ordinal recovered, HardState hard_state, Index last)
    : epoch_(opening.epoch),
      durable_ordinal_(recovered),
      asked_ordinal_(recovered),
      hard_state_ordinal_(recovered),
      durable_index_(last),
      durable_hard_state_(hard_state) {
  CHECK(epoch_ >= recovered.epoch, "an opening's epoch is above those before it");
}

PersistRequest& Persistence::request() {
  if (!request_) {
    const std::uint64_t counter = asked_ordinal_.epoch == epoch_ ? asked_ordinal_.counter + 1 : 1;
    request_.emplace();
    request_->ordinal = Ordinal{epoch_, counter};
    CHECK(request_->ordinal > asked_ordinal_, "ordinals grow");
  }
  return *request_;
}

void Persistence::write_hard_state(const HardState& hard_state) {
  request().hard_state = hard_state;
  hard_state_ordinal_ = request().ordinal;
}

void Persistence::truncate(Index from) {
  CHECK(request().entries.empty(), "a request truncates before it appends");
  request().truncate_from = from;
  durable_index_ = std::min(durable_index_, from.previous());
  for (Outstanding& each : outstanding_) each.last = std::min(each.last, from.previous());
}

Ordinal Persistence::end_quarantine(const HardState& hard_state) {
  // Written again, so that the ordinal is a new one even if nothing had to be fetched.
  write_hard_state(hard_state);
  request().end_quarantine = true;
  return request().ordinal;
}

void Persistence::restart(LogStart start) {
  CHECK(request().entries.empty() && !request().truncate_from, "a restart comes first");
  request().restart = start;
  durable_index_ = start.index;
  for (Outstanding& each : outstanding_) each.last = start.index;
}

void Persistence::append(EntryPtr entry) {
  request().entries.push_back(std::move(entry));
}

std::optional<PersistRequest> Persistence::take(Term term, Index last) {
  if (!request_) return std::nullopt;
  request_->term = term;
  asked_ordinal_ = request_->ordinal;
  outstanding_.push_back({request_->ordinal, last, request_->hard_state});
  return std::exchange(request_, std::nullopt);
}

bool Persistence::complete(Ordinal ordinal) {
  CHECK(ordinal <= asked_ordinal_, "a completion of what was never asked for");
  if (ordinal <= durable_ordinal_) return false;
  durable_ordinal_ = ordinal;
  while (!outstanding_.empty() && outstanding_.front().ordinal <= ordinal) {
    const Outstanding& done = outstanding_.front();
    CHECK(done.last >= durable_index_, "durability falls only by truncation");
    durable_index_ = done.last;
    if (done.hard_state) durable_hard_state_ = *done.hard_state;
    outstanding_.pop_front();
  }
  return true;
}

Ordinal Persistence::covering(Index index) const {
  if (index <= durable_index_) return Ordinal();
  for (const Outstanding& each : outstanding_) {
    if (each.last >= index) return each.ordinal;
  }
  CHECK(false, "an index that nobody was asked to write");
  return Ordinal();
}

}  // namespace raft
