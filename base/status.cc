#include "base/status.h"

#include <array>

namespace base {
namespace {

constexpr std::array kTraits = {
    CodeTraits{Code::kOk, "ok", false, Applied::kYes, 0, 200, "ok"},
    CodeTraits{Code::kInvalidArgument, "invalid-argument", false, Applied::kNo, 1, 400,
               "the request is not valid"},
    CodeTraits{Code::kTooLarge, "too-large", false, Applied::kNo, 1, 413,
               "the request is above a limit"},
    CodeTraits{Code::kNotLeader, "not-leader", true, Applied::kNo, 4, 503,
               "this member does not lead"},
    CodeTraits{Code::kNoLeader, "no-leader", true, Applied::kNo, 4, 503, "no leader is known"},
    CodeTraits{Code::kUnavailable, "unavailable", true, Applied::kNo, 4, 503,
               "the cluster cannot be reached or does not serve now"},
    CodeTraits{Code::kOverloaded, "overloaded", true, Applied::kNo, 4, 503,
               "a bound on work in flight was reached"},
    CodeTraits{Code::kLeadershipLost, "leadership-lost", true, Applied::kUnknown, 5, 503,
               "leadership was lost before the outcome was known"},
    CodeTraits{Code::kTimeout, "timeout", true, Applied::kUnknown, 5, 504,
               "the deadline passed before the outcome was known"},
    CodeTraits{Code::kTimeoutBeforeSend, "timeout-before-send", true, Applied::kNo, 4, 504,
               "the deadline passed before the request could be sent"},
    CodeTraits{Code::kSuperseded, "superseded", true, Applied::kNo, 4, 503,
               "another leader overwrote the proposal; it was not applied"},
    CodeTraits{Code::kUnknownSession, "unknown-session", false, Applied::kUnknown, 5, 409,
               "the session is not known"},
    CodeTraits{Code::kSequenceForgotten, "sequence-forgotten", false, Applied::kUnknown, 5, 409,
               "the outcome of that sequence number is no longer kept"},
    CodeTraits{Code::kSequenceTooFar, "sequence-too-far", false, Applied::kNo, 1, 409,
               "the sequence number is beyond the session's window"},
    CodeTraits{Code::kDisconnected, "disconnected", true, Applied::kUnknown, 5, 503,
               "the connection was lost before the outcome was known"},
    CodeTraits{Code::kQuarantined, "quarantined", true, Applied::kNo, 4, 503,
               "this member lost synced data and is in quarantine"},
    CodeTraits{Code::kCorrupt, "corrupt", false, Applied::kNo, 1, 500,
               "stored or received bytes fail their check"},
    CodeTraits{Code::kIo, "io", false, Applied::kUnknown, 5, 500, "a disk or socket failed"},
    CodeTraits{Code::kDiskFull, "disk-full", true, Applied::kNo, 4, 507, "the disk is full"},
    CodeTraits{Code::kWrongCluster, "wrong-cluster", false, Applied::kNo, 1, 421,
               "the other side belongs to another cluster"},
    CodeTraits{Code::kWrongMember, "wrong-member", false, Applied::kNo, 1, 421,
               "the other side is not the member it was taken for"},
    CodeTraits{Code::kNewerFormat, "newer-format", false, Applied::kNo, 1, 500,
               "the data was written by a newer version"},
    CodeTraits{Code::kLocked, "locked", false, Applied::kNo, 1, 423,
               "another process has the data directory open"},
    CodeTraits{Code::kStalled, "stalled", true, Applied::kNo, 4, 503,
               "work is pending on this member and does not complete"},
    CodeTraits{Code::kFaultsNotAllowed, "faults-not-allowed", false, Applied::kNo, 1, 403,
               "fault injection is off: start the server with --allow-faults"},
    CodeTraits{Code::kProtocol, "protocol", false, Applied::kUnknown, 5, 400,
               "the other side broke the protocol"},
    CodeTraits{Code::kRolledBack, "rolled-back", false, Applied::kNo, 1, 409,
               "the history is older than one that was seen before"},
    CodeTraits{Code::kUnsupported, "unsupported", false, Applied::kNo, 1, 501,
               "this version does not know the request"},
    CodeTraits{Code::kInternal, "internal", false, Applied::kUnknown, 5, 500,
               "the server met a bug"},
    CodeTraits{Code::kCompacted, "compacted", false, Applied::kNo, 1, 410,
               "that history was compacted away"},
    CodeTraits{Code::kFutureRevision, "future-revision", false, Applied::kNo, 1, 400,
               "the state has not come that far"},
    CodeTraits{Code::kSealed, "sealed", false, Applied::kNo, 1, 409,
               "the write was not applied and never will be"},
    CodeTraits{Code::kLeaseNotFound, "lease-not-found", false, Applied::kNo, 3, 404,
               "there is no such lease; it never was, or has ended"},
    CodeTraits{Code::kLeaseExists, "lease-exists", false, Applied::kNo, 1, 409,
               "a lease of that id is in force already"},
    CodeTraits{Code::kFenced, "fenced", false, Applied::kNo, 3, 409,
               "a lock that this relies on is not held with its token"},
    CodeTraits{Code::kLagging, "lagging", true, Applied::kNo, 4, 503,
               "the watch has to be resumed"},
    CodeTraits{Code::kOtherHistory, "other-history", false, Applied::kNo, 1, 409,
               "this history does not go on from what was seen before"},
};

constexpr bool rows_stand_at_their_code() {
  for (std::size_t i = 0; i < kTraits.size(); ++i)
    if (static_cast<std::size_t>(kTraits[i].code) != i) return false;
  return true;
}
static_assert(rows_stand_at_their_code());

}  // namespace

const CodeTraits& traits(Code code) {
  const auto i = static_cast<std::size_t>(code);
  return kTraits[i < kTraits.size() ? i : static_cast<std::size_t>(Code::kInternal)];
}

std::string Status::to_string() const {
  std::string text(traits(code_).text);
  if (!detail_.empty()) text += ": " + detail_;
  return text;
}

}  // namespace base
