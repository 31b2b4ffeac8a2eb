#include "tests/sim/ledger.h"

#include <algorithm>

#include "base/check.h"
#include "server/applied_entry.h"

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
  revisions_.push_back(model_.revision);
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
  const auto applied = server::to_applied(entry);
  if (!applied) return journal_.violation("committed bytes are no command at " + show(entry));
  const base::Revision before = model_.revision;
  const std::size_t events_before = model_.history.size();
  const bool expires = applied->command && std::holds_alternative<kv::Expire>(*applied->command);
  std::map<std::uint64_t, kv::Lease> leases;
  if (expires) leases = model_.leases;
  kv::Reply reply = model_.apply(applied.value());
  check_values(events_before);
  if (!applied->command) return;
  if (const auto* write = std::get_if<kv::Write>(&*applied->command)) {
    if (reply.repeated || reply.code == base::Code::kUnknownSession) return;
    outcomes_.try_emplace({write->session, write->sequence},
                          ModelOutcome{std::move(reply), model_.revision > before});
  } else if (expires && lease_ended_) {
    for (const auto& [id, lease] : leases) {
      if (!model_.leases.contains(id)) lease_ended_(lease.id);
    }
  }
}

void Ledger::check_values(std::size_t events_before) {
  for (std::size_t i = events_before; i < model_.history.size(); ++i) {
    const kv::Event& event = model_.history[i];
    if (event.deleted) continue;
    const auto [at, added] = written_.try_emplace(event.item.value, last());
    if (added) continue;
    journal_.violation("exactly once: " + event.item.value + " was written at revision " +
                       std::to_string(event.item.modify_revision.value) + " and before, at index " +
                       std::to_string(at->second.value));
  }
}

}  // namespace sim
