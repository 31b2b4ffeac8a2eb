// How log and state of one opening are brought together (DESIGN section 6, rule 3). Before anything
// else runs.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "storage/data_directory.h"
#include "storage/log_rows.h"

namespace storage {
namespace {

using base::Code;
using base::Index;
using base::Status;

/// Payload bytes of one load.
constexpr std::size_t kLoadBytes = 8 << 20;

std::string describe(Index index, base::Term term) {
  return "entry " + std::to_string(index.value) + " of term " + std::to_string(term.value);
}

Index last_of(const LogContents& log) {
  return log.first.previous() + log.metas.size();
}

/// The log's own (term, hash) at `index`. Requires: first - 1 <= index <= last.
std::pair<base::Term, base::ChainHash> at(const LogContents& log, Index index) {
  if (index < log.first) return {log.previous_term, log.previous_hash};
  const raft::EntryMeta& meta = log.metas[index - log.first];
  return {meta.term, meta.hash};
}

Status diverged(const kv::Position& position) {
  return {Code::kCorrupt,
          "divergence: log and state both hold " + describe(position.applied, position.term) +
              ", but their chain hashes differ: one of them is corrupt, or history has split"};
}

/// Rule 3: the state's applied entry is committed truth.
Status align(LogStore& log, const kv::Position& position) {
  const LogContents& contents = log.contents();
  // The state has lost data: the log stays, and the member votes and acknowledges until a snapshot
  // comes.
  if (position.applied < contents.first.previous()) return Status::ok();
  if (position.applied > last_of(contents)) {
    return log.restart_after(position.applied, position.term, position.hash);
  }
  const auto [term, hash] = at(contents, position.applied);
  if (term == position.term && hash == position.hash) return Status::ok();
  if (term == position.term) return diverged(position);
  if (position.applied < contents.first) {
    // The log was cut at a committed entry too: two committed entries at one index.
    return diverged(position);
  }
  return log.restart_after(position.applied, position.term, position.hash);
}

/// What the state proves against the log, in words (DESIGN section 5.15).
std::optional<std::string> find_loss(const LogContents& log, const kv::Position& position) {
  if (log.ordinal < position.log_ordinal) {
    return "synced data is lost: the log ends at ordinal " + to_string(log.ordinal) +
           ", but the state says that ordinal " + to_string(position.log_ordinal) + " was durable";
  }
  if (log.hard_state.term < position.term) {
    return "synced data is lost: the state holds " + describe(position.applied, position.term) +
           ", but the log knows of term " + std::to_string(log.hard_state.term.value) + " only";
  }
  return std::nullopt;
}

base::Result<std::vector<raft::EntryPtr>> load_after(LogStore& log, Index applied) {
  std::vector<raft::EntryPtr> entries;
  const Index last = last_of(log.contents());
  for (Index from = applied.next(); from <= last;) {
    auto loaded = log.load(from, last, kLoadBytes);
    if (!loaded) return loaded;
    CHECK(!loaded->empty(), "a load gives at least one entry");
    from = loaded->back()->index.next();
    entries.insert(entries.end(), loaded->begin(), loaded->end());
  }
  return entries;
}

base::Result<raft::Configuration> configuration_of(const kv::Position& position,
                                                   const raft::Configuration& initial) {
  if (position.configuration.empty()) return initial;
  auto configuration = raft::decode_configuration(position.configuration);
  if (!configuration) {
    return Status(Code::kCorrupt, "the configuration in the state cannot be decoded");
  }
  return *configuration;
}

}  // namespace

base::Result<raft::Recovered> reconcile(LogStore& log, const kv::Position& position,
                                        const raft::Configuration& initial) {
  raft::Recovered recovered;
  auto reason = log.contents().quarantine;
  if (!reason) {
    reason = find_loss(log.contents(), position);
    // Written down before anything is changed (rule 4).
    if (reason) {
      if (Status status = log.quarantine(*reason); !status.is_ok()) return status;
    }
  }
  if (Status status = align(log, position); !status.is_ok()) return status;
  const bool state_is_short = position.applied < log.contents().first.previous();
  auto entries =
      load_after(log, state_is_short ? log.contents().first.previous() : position.applied);
  if (!entries) return entries.status();
  auto configuration = configuration_of(position, initial);
  if (!configuration) return configuration.status();

  const LogContents& contents = log.contents();
  recovered.hard_state = contents.hard_state;
  // Only after a loss: an applied term was durable once, so going below it would be going back.
  if (recovered.hard_state.term < position.term) recovered.hard_state = {position.term, {}, {}};
  recovered.ordinal = contents.ordinal;
  recovered.first = contents.first;
  recovered.previous_term = contents.previous_term;
  recovered.previous_hash = contents.previous_hash;
  recovered.metas = contents.metas;
  recovered.entries = std::move(entries).value();
  recovered.applied = position.applied;
  recovered.applied_time = position.time;
  recovered.configuration = std::move(configuration).value();
  recovered.quarantined = reason.has_value();
  recovered.quarantine_reason = reason.value_or("");
  return recovered;
}

}  // namespace storage
