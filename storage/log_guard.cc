#include "storage/log_guard.h"

#include <algorithm>

namespace storage {
namespace {

std::string number(base::Index index) {
  return std::to_string(index.value);
}

/// Reads one of the three small rows; sets log.damage if it is missing or wrong.
template <class T>
std::optional<T> read_row(const LogRows& rows, std::string_view key, std::string_view name,
                          std::optional<T> (*decode)(std::string_view), WholeLog& log) {
  auto value = rows.get(key);
  if (!value.is_ok()) {
    log.damage = "the log's " + std::string(name) + " cannot be read: " + value.status().detail();
    return std::nullopt;
  }
  if (!value->has_value()) {
    log.damage = "the log's " + std::string(name) + " is missing";
    return std::nullopt;
  }
  auto decoded = decode(*value.value());
  if (!decoded) log.damage = "the checksum of the log's " + std::string(name) + " does not hold";
  return decoded;
}

/// Takes in the row of the next entry. Returns false, with the reason in log.damage, if it is not
/// whole.
bool take_entry(std::string_view key, std::string_view value, WholeLog& log) {
  const base::Index expected = log.marker.index + (log.metas.size() + 1);
  const auto index = index_of_key(key);
  if (!index) {
    log.damage = "a row of the log behind entry " + number(expected.previous()) + " is unknown";
  } else if (*index != expected) {
    log.damage = "entry " + number(expected) + " of the log is missing, though entry " +
                 number(*index) + " is there";
  }
  if (log.damage) return false;
  const auto row = decode_entry(*index, value);
  if (!row) {
    log.damage = "the checksum of entry " + number(expected) + " does not hold";
    return false;
  }
  const base::ChainHash previous = log.metas.empty() ? log.marker.hash : log.metas.back().hash;
  if (raft::chain_hash(previous, *row->entry) != row->entry->hash) {
    log.damage = "the chain of hashes breaks at entry " + number(expected) +
                 ": it is not the one that was written after entry " + number(expected.previous());
    return false;
  }
  log.metas.push_back(
      {row->entry->term, row->entry->hash, static_cast<std::uint32_t>(row->entry->size_bytes())});
  log.recovered.ordinal = std::max(log.recovered.ordinal, row->ordinal);
  return true;
}

std::string describe(const Claim& claim) {
  return "ordinal " + to_string(claim.ordinal) + " (last entry " + number(claim.last) +
         " of term " + std::to_string(claim.term.value) + ")";
}

std::optional<std::string> compare(const Claim& recovered, const Claim& claim,
                                   std::string_view who) {
  const bool agrees = claim.ordinal < recovered.ordinal ||
                      (claim.ordinal == recovered.ordinal && claim == recovered);
  if (agrees) return std::nullopt;
  return "synced data is lost: the log ends at " + describe(recovered) + ", but " +
         std::string(who) + " that " + describe(claim) + " was durable";
}

}  // namespace

WholeLog read_whole_log(const LogRows& rows) {
  WholeLog log;
  const auto hard_state =
      read_row<raft::HardState>(rows, kHardStateKey, "term and vote", decode_hard_state, log);
  const auto ordinal = read_row<base::Ordinal>(rows, kOrdinalKey, "ordinal", decode_ordinal, log);
  const auto marker = read_row<Marker>(rows, kMarkerKey, "first-index marker", decode_marker, log);
  if (hard_state) log.hard_state = *hard_state;
  if (ordinal) log.recovered.ordinal = *ordinal;
  if (!marker) return log;
  log.marker = *marker;
  // Damage of a small row stays the reason, and the entries are read all the same.
  auto reason = std::exchange(log.damage, std::nullopt);
  const base::Status status = rows.scan(
      entry_key(log.marker.index.next()),
      [&](std::string_view key, std::string_view value) { return take_entry(key, value, log); });
  if (!status.is_ok() && !log.damage) {
    log.damage = "the log cannot be read behind entry " +
                 number(log.marker.index + log.metas.size()) + ": " + status.detail();
  }
  if (reason) log.damage = std::move(reason);
  log.recovered.last = log.marker.index + log.metas.size();
  log.recovered.term = log.metas.empty() ? log.marker.term : log.metas.back().term;
  return log;
}

std::optional<std::string> find_loss(const WholeLog& log, const Evidence& evidence) {
  if (!evidence.log_opened && !evidence.slot) {
    return "the log and its watermark are both unreadable: this member is wiped, even its votes "
           "are "
           "forgotten (" +
           evidence.log_error + ")";
  }
  if (!evidence.log_opened) return "the log cannot be opened: " + evidence.log_error;
  if (log.damage) return "synced data is damaged: " + *log.damage;
  if (!evidence.slot) {
    return "the watermark is missing or unreadable, so nothing tells whether the log is whole";
  }
  if (auto loss = compare(log.recovered, evidence.slot->claim, "the watermark says")) return loss;
  if (evidence.claim) {
    if (auto loss = compare(log.recovered, *evidence.claim, "its own write-ahead log says")) {
      return loss;
    }
  }
  if (evidence.slot->hard_state.term > log.hard_state.term) {
    return "synced data is lost: the log knows of term " +
           std::to_string(log.hard_state.term.value) + " only, but the watermark says that term " +
           std::to_string(evidence.slot->hard_state.term.value) + " was durable";
  }
  if (log.recovered.term > log.hard_state.term) {
    return "synced data is lost: the log's last entry is of term " +
           std::to_string(log.recovered.term.value) + ", but it knows of term " +
           std::to_string(log.hard_state.term.value) + " only";
  }
  return std::nullopt;
}

LogContents contents_of(const WholeLog& log, const raft::HardState& hard_state,
                        const std::optional<std::string>& quarantine) {
  LogContents contents;
  contents.hard_state = hard_state;
  contents.ordinal = log.recovered.ordinal;
  contents.first = log.marker.index.next();
  contents.previous_term = log.marker.term;
  contents.previous_hash = log.marker.hash;
  contents.metas = log.metas;
  contents.quarantine = quarantine;
  return contents;
}

void restart(LogContents& contents, base::Ordinal ordinal, const Marker& marker) {
  contents.ordinal = ordinal;
  contents.first = marker.index.next();
  contents.previous_term = marker.term;
  contents.previous_hash = marker.hash;
  contents.metas.clear();
}

raft::HardState merge(const raft::HardState& slot, const raft::HardState& log) {
  if (slot.term != log.term) return slot.term > log.term ? slot : log;
  return log.vote ? log : slot;
}

}  // namespace storage
