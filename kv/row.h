// The stored rows of the state machine (DESIGN section 5.6): fixed layouts, numbers big-endian,
// each value beginning with a format byte. What is stored only changes under a new format byte.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "kv/position.h"
#include "kv/types.h"

namespace kv {

inline constexpr std::uint8_t kRowFormat = 1;
/// A reply whose encoding is longer is kept without its results.
inline constexpr std::size_t kOutcomeBytes = 64 * 1024;

// Every decoder is safe on any bytes. Errors of all of them: kCorrupt, and kNewerFormat when the
// format byte is above kRowFormat.

// ---- kLatest: user key -> metadata and value ----

/// format, create, modify, version, lease, time (8 bytes each), value.
std::string encode_latest(const KeyValue& item);
base::Result<KeyValue> decode_latest(std::string_view key, std::string_view bytes);

// ---- kHistory: revision and sub-index -> what happened to one key ----

/// Revision (8 bytes), sub-index (4): sorts as events happened.
std::string history_key(Revision revision, std::uint32_t sub_index);
/// format, kind (1 put, 2 delete), create, version, lease, time, key with length, value.
std::string encode_event(const Event& event);
base::Result<Event> decode_event(std::string_view row_key, std::string_view bytes);

// ---- kVersions: user key and revision -> which event of that revision wrote it ----

/// The key, with each zero byte followed by 0xff and ended by 00 01, so that keys sort as they are;
/// then the revision (8 bytes) inverted, so that the newest version comes first.
std::string version_key(std::string_view key, Revision revision);
/// Where the versions of `key`, and of all keys from it on, begin.
std::string versions_begin(std::string_view key);
/// The end of the versions of `key` alone.
std::string versions_end(std::string_view key);

struct Version {
  std::string key{};
  Revision revision{};
  std::uint32_t sub_index = 0;
  bool deleted = false;
};
/// format, kind (1 put, 2 delete), sub-index (4 bytes).
std::string encode_version(const Version& version);
base::Result<Version> decode_version(std::string_view row_key, std::string_view bytes);

// ---- kSessions: a session, then its outcomes by sequence ----

/// The id (8 bytes).
std::string session_key(SessionId session);
/// The id and the sequence (8 bytes each): outcomes follow their session's row.
std::string outcome_key(SessionId session, std::uint64_t sequence);

/// Whose row a key is; sequence 0: the session's own.
struct SessionRowKey {
  SessionId session;
  std::uint64_t sequence = 0;
};
base::Result<SessionRowKey> decode_session_key(std::string_view row_key);

/// The row of a session says only that it is open: the rest follows from its outcomes.
std::string encode_session();
base::Status decode_session(std::string_view bytes);

/// What one applied write gave. The highest `applied` and `acknowledged_below` of a session's
/// outcomes are the session's own, so that a write rewrites no other row.
struct Outcome {
  Index applied;                         // the entry that was applied
  std::uint64_t acknowledged_below = 0;  // as the write said it
  Reply reply{};                         // `repeated` is not kept
  bool operator==(const Outcome&) const = default;
};

/// format, applied, acknowledged_below, reply. A reply that takes more than kOutcomeBytes is stored
/// without its results, its detail saying so.
std::string encode_outcome(const Outcome& outcome);
base::Result<Outcome> decode_outcome(std::string_view bytes);
/// The same without its reply, for recovery.
base::Result<Outcome> decode_outcome_head(std::string_view bytes);

// ---- kLeases: a lease, then the keys attached to it ----

/// The id (8 bytes).
std::string lease_key(LeaseId lease);
/// The id, then the user key: follows its lease's row. The value is a format byte.
std::string attachment_key(LeaseId lease, std::string_view key);
std::string encode_attachment();

/// Whose row a key is; an empty key: the lease's own.
struct LeaseRowKey {
  LeaseId lease;
  std::string_view key;
};
base::Result<LeaseRowKey> decode_lease_key(std::string_view row_key);

/// format, ttl, session, attached keys (8 bytes each). `lease.keys` is not stored.
std::string encode_lease(const Lease& lease);
base::Result<Lease> decode_lease(LeaseId id, std::string_view bytes);

// ---- kMeta: the position, and how far compaction has come here ----

inline constexpr std::string_view kPositionKey = "position";
/// Format 1 had no kVersions; none was released.
inline constexpr std::uint8_t kPositionFormat = 2;
std::string encode_position(const Position& position);
base::Result<Position> decode_position(std::string_view bytes);

/// The history rows before this one (a history_key) have been looked at by a compaction. Differs
/// among members: it says what was tidied up, not what can be read.
/// Sorts before the position, which is the end of a snapshot.
inline constexpr std::string_view kSweptKey = "history-swept";
static_assert(kSweptKey < kPositionKey);
std::string encode_swept(std::string_view history_row_key);
base::Result<std::string> decode_swept(std::string_view bytes);

}  // namespace kv
