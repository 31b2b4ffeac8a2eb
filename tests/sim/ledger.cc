#include "tests/sim/ledger.h"

#include <algorithm>

#include "base/check.h"
#include "storage/codec.h"

namespace sim {
namespace {

std::string show(const raft::Entry& entry) {
  return std::to_string(entry.term.value) + "/" + std::to_string(entry.index.value) + " hash " +
         base::to_hex(entry.hash.value);
}

}  // namespace

base::ChainHash Ledger::hash_at(base::Index index) const {
  CHECK(index <= last());
  return index ? entries_[index.value - 1]->hash : base::ChainHash();
}

const ModelOutcome* Ledger::outcome(base::SessionId session, std::uint64_t sequence) const {
  const auto at = outcomes_.find({session, sequence});
  return at == outcomes_.end() ? nullptr : &at->second;
}

bool Ledger::commit(std::size_t node, const raft::EntryPtr& entry) {
  if (entry->index <= last()) {
    const raft::Entry& known = *entries_[entry->index.value - 1];
    if (known.hash != entry->hash || known.term != entry->term) {
      journal_.violation("log matching: node " + std::to_string(node) + " commits " + show(*entry) +
                         ", but " + show(known) + " was committed there");
    }
    return false;
  }
  if (entry->index != last().next()) {
    journal_.violation("node " + std::to_string(node) + " commits " + show(*entry) + " before " +
                       std::to_string(last().next().value));
    return false;
  }
  if (raft::chain_hash(hash_at(last()), *entry) != entry->hash) {
    journal_.violation("the chain is broken at " + show(*entry));
  }
  if (!entries_.empty() && entry->term < entries_.back()->term) {
    journal_.violation("terms fall at " + show(*entry));
  }
  if (!entries_.empty() && entry->time <= entries_.back()->time) {
    journal_.violation("hybrid times do not grow at " + show(*entry));
  }
  entries_.push_back(entry);
  if (entry->kind == raft::EntryKind::kConfiguration) last_configuration_ = entry->index;
  run(*entry);
  revisions_.push_back(revision_);
  return true;
}

void Ledger::stand(std::size_t node, const kv::Position& position) {
  const std::string who =
      "node " + std::to_string(node) + " at index " + std::to_string(position.applied.value);
  if (position.applied > last()) return journal_.violation(who + " applied what nobody committed");
  if (position.hash != hash_at(position.applied)) {
    return journal_.violation(who + " has another chain hash than what was committed");
  }
  const Digest now{node, position.digest, position.revision};
  const Digest& first = digests_.try_emplace(position.applied, now).first->second;
  if (first.digest != now.digest || first.revision != now.revision) {
    journal_.violation(who + " has another digest or revision than node " +
                       std::to_string(first.node));
  }
  const base::Revision model =
      position.applied ? revisions_[position.applied.value - 1] : base::Revision();
  if (position.revision != model) {
    journal_.violation(who + " is at revision " + std::to_string(position.revision.value) +
                       ", the model at " + std::to_string(model.value));
  }
}

// ---- The model ----

void Ledger::run(const raft::Entry& entry) {
  if (entry.kind != raft::EntryKind::kCommand) return;
  auto command = storage::decode_command(entry.payload);
  if (!command) return journal_.violation("committed bytes are no command at " + show(entry));
  if (std::holds_alternative<kv::OpenSession>(*command.operator->())) {
    sessions_.emplace(base::SessionId(entry.index.value), entry.index);
  } else if (const auto* write = std::get_if<kv::Write>(command.operator->())) {
    run(*write);
  } else if (const auto* close = std::get_if<kv::CloseSession>(command.operator->())) {
    sessions_.erase(close->session);
  }
}

void Ledger::run(const kv::Write& write) {
  if (!sessions_.contains(write.session)) return;
  const auto [at, added] = outcomes_.try_emplace({write.session, write.sequence});
  if (!added) return;  // it happened already
  ModelOutcome& outcome = at->second;
  outcome.sealed = write.seal;
  outcome.revision = revision_;
  if (write.seal) return;
  outcome.succeeded =
      std::all_of(write.transaction.compares.begin(), write.transaction.compares.end(),
                  [this](const auto& compare) { return holds(compare); });
  const auto& branch = outcome.succeeded ? write.transaction.then : write.transaction.otherwise;
  for (const auto& operation : branch) {
    if (effect(operation, revision_.next())) outcome.wrote = true;
  }
  if (outcome.wrote) revision_ = revision_.next();
  outcome.revision = revision_;
}

bool Ledger::holds(const kv::Compare& compare) const {
  const auto at = state_.find(compare.key);
  if (compare.target == kv::CompareTarget::kValue) {
    return at != state_.end() && at->second == compare.value;
  }
  // Clients ask for nothing else but absence.
  CHECK(compare.target == kv::CompareTarget::kVersion && compare.number == 0);
  return at == state_.end();
}

bool Ledger::effect(const kv::Operation& operation, base::Revision revision) {
  if (const auto* put = std::get_if<kv::PutOperation>(&operation)) {
    state_[put->key] = put->value;
    const auto [at, added] = written_.try_emplace(put->value, last());
    if (!added) {
      journal_.violation("exactly once: " + put->value + " was written at revision " +
                         std::to_string(revision.value) + " and before, at index " +
                         std::to_string(at->second.value));
    }
    return true;
  }
  if (const auto* remove = std::get_if<kv::DeleteOperation>(&operation)) {
    CHECK(remove->range.end.empty(), "clients delete one key at a time");
    return state_.erase(remove->range.begin) > 0;
  }
  return false;
}

}  // namespace sim
