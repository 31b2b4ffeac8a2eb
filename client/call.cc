#include "client/call.h"

#include <variant>

namespace client {
namespace {

constexpr std::size_t kOperationBytes = 64;

std::size_t weight(const kv::Operation& operation) {
  struct Visitor {
    std::size_t operator()(const kv::RangeOperation& o) const {
      return o.range.begin.size() + o.range.end.size();
    }
    std::size_t operator()(const kv::PutOperation& o) const {
      return o.key.size() + o.value.size();
    }
    std::size_t operator()(const kv::DeleteOperation& o) const {
      return o.range.begin.size() + o.range.end.size();
    }
    std::size_t operator()(const kv::HistoryOperation& o) const { return o.key.size(); }
    std::size_t operator()(const kv::CompactOperation&) const { return 0; }
    std::size_t operator()(const kv::RetainOperation&) const { return 0; }
    std::size_t operator()(const kv::GrantOperation&) const { return 0; }
    std::size_t operator()(const kv::RevokeOperation&) const { return 0; }
    std::size_t operator()(const kv::LeasesOperation&) const { return 0; }
  };
  return kOperationBytes + std::visit(Visitor{}, operation);
}

/// Refusals that only an applied entry gives. The session keeps them like any other outcome, so no
/// attempt of that sequence has had, or will have, another.
bool is_the_sessions_word(base::Code code) {
  switch (code) {
    case base::Code::kSealed:
    case base::Code::kFenced:
    case base::Code::kLeaseNotFound:
    case base::Code::kLeaseExists:
    case base::Code::kCompacted:
    case base::Code::kFutureRevision:
      return true;
    default:
      return false;
  }
}

}  // namespace

base::Status conclusion(const Call& call, const base::Status& last) {
  if (last.is_ok()) return last;
  if (!call.has_effect()) {
    if (last.applied() == base::Applied::kNo) return last;
    return base::Status(base::Code::kUnavailable,
                        "the read got no answer (" + last.to_string() + ")");
  }
  if (is_the_sessions_word(last.code())) return last;
  if (last.applied() == base::Applied::kNo && !call.unknown.is_ok())
    return base::Status(call.unknown.code(), "an earlier attempt may have been applied (" +
                                                 call.unknown.detail() +
                                                 "); the last one: " + last.to_string());
  return last;
}

base::Status at_deadline(const Call& call, std::uint32_t timeout_ms) {
  const std::string within = "not done within " + std::to_string(timeout_ms) + " ms";
  const auto with = [&](const base::Status& last) {
    return last.is_ok() ? within : within + "; the last attempt: " + last.to_string();
  };
  if (call.attempt != 0 || !call.unknown.is_ok())
    return conclusion(call, base::Status(base::Code::kTimeout, with(call.unknown)));
  if (!call.refusal.is_ok()) return base::Status(call.refusal.code(), with(call.refusal));
  return base::Status(base::Code::kTimeoutBeforeSend, within);
}

std::size_t weight(const kv::Transaction& transaction) {
  std::size_t bytes = kOperationBytes;
  for (const auto& compare : transaction.compares)
    bytes += kOperationBytes + compare.key.size() + compare.value.size();
  for (const auto& fence : transaction.fences) bytes += kOperationBytes + fence.name.size();
  for (const auto& operation : transaction.then) bytes += weight(operation);
  for (const auto& operation : transaction.otherwise) bytes += weight(operation);
  return bytes;
}

}  // namespace client
