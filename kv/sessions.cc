#include "kv/sessions.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "kv/row.h"

namespace kv {
namespace {

using base::Code;
using base::Result;
using base::Status;

Reply refused(Code code, std::string detail) {
  Reply reply;
  reply.code = code;
  reply.detail = std::move(detail);
  return reply;
}

}  // namespace

Status Sessions::load_row(std::string_view row_key, std::string_view row) {
  const Result<SessionRowKey> key = decode_session_key(row_key);
  if (!key.is_ok()) return key.status();
  const SessionId id = key->session;
  if (key->sequence == 0) {
    sessions_[id].last_used = Index(id.value);
    return decode_session(row);
  }
  const auto session = sessions_.find(id);
  if (session == sessions_.end())
    return Status(Code::kCorrupt, "an outcome without its session " + std::to_string(id.value));
  const Result<Outcome> outcome = decode_outcome_head(row);
  if (!outcome.is_ok()) return outcome.status();
  Session& found = session->second;
  found.sequences.insert(key->sequence);
  found.last_used = std::max(found.last_used, outcome->applied);
  found.acknowledged_below = std::max(found.acknowledged_below, outcome->acknowledged_below);
  return Status::ok();
}

Status Sessions::load(Engine& engine) {
  sessions_.clear();
  by_last_used_.clear();
  Status loaded;
  const Status scanned =
      engine.scan(Space::kSessions, "", "", [&](std::string_view key, std::string_view row) {
        loaded = load_row(key, row);
        return loaded.is_ok();
      });
  if (!scanned.is_ok()) return scanned;
  if (!loaded.is_ok()) return loaded;
  for (const auto& [id, session] : sessions_)
    if (!by_last_used_.emplace(session.last_used, id).second)
      return Status(Code::kCorrupt, "two sessions were used by the entry " +
                                        std::to_string(session.last_used.value));
  return Status::ok();
}

std::vector<SessionId> Sessions::open(Index index, Overlay& overlay) {
  CHECK(by_last_used_.empty() || by_last_used_.rbegin()->first < index);
  CHECK(limits_.sessions > 0);
  std::vector<SessionId> evicted;
  while (sessions_.size() >= limits_.sessions) {
    evicted.push_back(by_last_used_.begin()->second);
    erase(evicted.back(), overlay);
  }
  const SessionId id(index.value);
  sessions_[id].last_used = index;
  by_last_used_.emplace(index, id);
  overlay.put(Space::kSessions, session_key(id), encode_session());
  return evicted;
}

bool Sessions::close(SessionId session, Overlay& overlay) {
  if (!sessions_.contains(session)) return false;
  erase(session, overlay);
  return true;
}

void Sessions::erase(SessionId id, Overlay& overlay) {
  const auto session = sessions_.find(id);
  CHECK(session != sessions_.end());
  overlay.remove(Space::kSessions, session_key(id));
  for (const std::uint64_t sequence : session->second.sequences)
    overlay.remove(Space::kSessions, outcome_key(id, sequence));
  CHECK(by_last_used_.erase(session->second.last_used) == 1);
  sessions_.erase(session);
}

Result<std::optional<Reply>> Sessions::answer(const Write& write, Overlay& overlay) {
  const Status valid = validate(write);
  if (!valid.is_ok()) return std::optional<Reply>(refused(valid.code(), valid.detail()));
  const auto found = sessions_.find(write.session);
  if (found == sessions_.end())
    return std::optional<Reply>(
        refused(Code::kUnknownSession, "session " + std::to_string(write.session.value)));
  const Session& session = found->second;
  if (write.sequence < session.acknowledged_below)
    return std::optional<Reply>(refused(
        Code::kSequenceForgotten, "sequence " + std::to_string(write.sequence) + " is below " +
                                      std::to_string(session.acknowledged_below) +
                                      ", which was acknowledged"));
  if (session.sequences.contains(write.sequence)) {
    Result<Reply> reply = recorded(write, overlay);
    if (!reply.is_ok()) return reply.status();
    return std::optional<Reply>(std::move(reply).value());
  }
  const std::uint64_t below = std::max(session.acknowledged_below, write.acknowledged_below);
  if (write.sequence - below >= limits_.session_window)
    return std::optional<Reply>(refused(
        Code::kSequenceTooFar, "sequence " + std::to_string(write.sequence) + " is " +
                                   std::to_string(limits_.session_window) + " or more above " +
                                   std::to_string(below) + ", below which all is acknowledged"));
  return std::optional<Reply>();
}

Result<Reply> Sessions::recorded(const Write& write, Overlay& overlay) {
  Result<std::optional<std::string>> row =
      overlay.get(Space::kSessions, outcome_key(write.session, write.sequence));
  if (!row.is_ok()) return row.status();
  if (!row.value()) return Status(Code::kCorrupt, "the outcome of a recorded write is missing");
  Result<Outcome> outcome = decode_outcome(*row.value());
  if (!outcome.is_ok()) return outcome.status();
  outcome->reply.repeated = true;
  return std::move(outcome->reply);
}

void Sessions::record(const Write& write, Index index, const Reply& reply, Overlay& overlay) {
  const auto found = sessions_.find(write.session);
  CHECK(found != sessions_.end());
  Session& session = found->second;
  CHECK(session.last_used < index);
  auto used = by_last_used_.extract(session.last_used);
  CHECK(!used.empty() && used.mapped() == write.session);
  used.key() = session.last_used = index;
  by_last_used_.insert(std::move(used));

  session.acknowledged_below = std::max(session.acknowledged_below, write.acknowledged_below);
  CHECK(write.sequence >= session.acknowledged_below);
  CHECK(write.sequence - session.acknowledged_below < limits_.session_window);
  auto oldest = session.sequences.begin();
  while (oldest != session.sequences.end() && *oldest < session.acknowledged_below) {
    overlay.remove(Space::kSessions, outcome_key(write.session, *oldest));
    oldest = session.sequences.erase(oldest);
  }
  CHECK(session.sequences.insert(write.sequence).second, "a sequence ran twice");
  overlay.put(Space::kSessions, outcome_key(write.session, write.sequence),
              encode_outcome({index, write.acknowledged_below, reply}));
}

}  // namespace kv
