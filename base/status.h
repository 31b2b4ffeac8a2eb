// The one enum of failures, and Result. Answers (key missing, compare failed) are values, not
// Status; bugs are CHECKs (DESIGN section 8). Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace base {

/// Stable numbers: they cross the wire and are stored. Only append.
enum class Code : std::uint16_t {
  kOk = 0,
  kInvalidArgument = 1,     // the request can never work as it is
  kTooLarge = 2,            // a key, value or transaction above its limit
  kNotLeader = 3,           // this member does not lead; the hint may name who does
  kNoLeader = 4,            // nobody is known to lead
  kUnavailable = 5,         // refused before anything was proposed (draining, starting, connecting)
  kOverloaded = 6,          // a bound was reached; nothing was proposed
  kLeadershipLost = 7,      // proposed, then leadership went: the outcome is unknown
  kTimeout = 8,             // a deadline passed after the request was sent: outcome unknown
  kTimeoutBeforeSend = 9,   // a deadline passed before anything was sent
  kSuperseded = 10,         // proposed, then overwritten by another leader: surely not applied
  kUnknownSession = 11,     // the session never was, or is gone
  kSequenceForgotten = 12,  // the outcome of that sequence number was dropped as acknowledged
  kSequenceTooFar = 13,     // beyond the session's window of outcomes
  kDisconnected = 14,       // the connection went away after the request was sent: outcome unknown
  kQuarantined = 15,        // this member lost synced data and counts for nothing
  kCorrupt = 16,            // stored or received bytes fail their check
  kIo = 17,                 // a disk or socket operation failed
  kDiskFull = 18,
  kWrongCluster = 19,      // the other side belongs to another cluster
  kWrongMember = 20,       // the data directory or peer is not who it was said to be
  kNewerFormat = 21,       // written by a newer version
  kLocked = 22,            // another process has the data directory
  kStalled = 23,           // this member has work pending that does not complete
  kFaultsNotAllowed = 24,  // fault injection needs --allow-faults
  kProtocol = 25,          // the other side broke the protocol
  kRolledBack = 26,        // a history older than one that was seen before
  kUnsupported = 27,
  kInternal = 28,
  kCompacted = 29,       // asks for history that is no longer kept
  kFutureRevision = 30,  // asks for a revision or a time that this state has not reached
  kSealed = 31,          // asked what became of it, it was declared never to happen
  kLeaseNotFound = 32,   // the lease never was, or has ended
  kLeaseExists = 33,     // a lease of that id is in force
  kFenced = 34,          // a lock that the request relies on is not held with its token
  kLagging = 35,         // a watch was too slow, or its member can not go on: resume it
  kOtherHistory = 36,    // this history does not go on from what the client has seen
};

/// Whether the operation that got this code may have been applied.
enum class Applied : std::uint8_t { kNo, kYes, kUnknown };

/// What every code means to callers. One row a code.
struct CodeTraits {
  Code code;
  std::string_view name;  // stable, kebab-case, as in JSON and logs
  bool retryable;         // the same request may work later, at this member or another
  Applied applied;
  int exit_code;  // DESIGN section 10
  int http_status;
  std::string_view text;  // one plain sentence without a full stop
};

const CodeTraits& traits(Code code);

/// A code and what happened, to what. Ok carries no text.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string detail) : code_(code), detail_(std::move(detail)) {}
  static Status ok() { return Status(); }

  bool is_ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& detail() const { return detail_; }
  bool retryable() const { return traits(code_).retryable; }
  Applied applied() const { return traits(code_).applied; }
  /// "the text of the code: detail".
  std::string to_string() const;

 private:
  Code code_ = Code::kOk;
  std::string detail_;
};

/// Either a value or a Status that is not ok.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}        // NOLINT: implicit by design
  Result(Status status) : state_(std::move(status)) {  // NOLINT: implicit by design
    CHECK(!std::get<Status>(state_).is_ok(), "a Result without value needs a failure");
  }

  bool is_ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return is_ok(); }
  Status status() const { return is_ok() ? Status() : std::get<Status>(state_); }
  /// Requires: is_ok().
  T& value() & {
    CHECK(is_ok(), std::get<Status>(state_).to_string());
    return std::get<T>(state_);
  }
  const T& value() const& {
    CHECK(is_ok(), std::get<Status>(state_).to_string());
    return std::get<T>(state_);
  }
  T&& value() && {
    CHECK(is_ok(), std::get<Status>(state_).to_string());
    return std::get<T>(std::move(state_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace base
