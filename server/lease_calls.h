// Questions about leases, Holdfast.leases: a lane beside the calls, so that who floods a member
// with writes keeps nobody from renewing (DESIGN section 1, promise 9). Door thread for everything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "schema/client.capnp.h"
#include "server/events.h"
#include "server/node_view.h"

namespace server {

/// Invariants:
/// - each question gets one answer, at its deadline at the latest;
/// - at most kOpen are open; more are refused.
class LeaseCalls {
 public:
  static constexpr std::size_t kMaxLeases = 1000;  // a question, as the schema says
  static constexpr std::size_t kOpen = 4096;
  static constexpr std::uint32_t kDefaultDeadlineMs = 1000;
  static constexpr std::uint32_t kMaxDeadlineMs = 60'000;
  /// Its requests have ids from here on; those of calls are below, the upper half is the core's.
  static constexpr std::uint64_t kFirstId = std::uint64_t{1} << 62;
  /// False: too much is queued, nothing was taken.
  using Send = std::function<bool(std::vector<ClientRequest>&& requests, std::size_t size_bytes)>;
  using Context =
      capnp::CallContext<schema::Holdfast::LeasesParams, schema::Holdfast::LeasesResults>;

  LeaseCalls(const NodeView& view, Send send);
  ~LeaseCalls();

  kj::Promise<void> ask(Context context);
  /// Requires: answer.id >= kFirstId.
  void answer(ClientAnswer answer);
  void expire(std::uint64_t now_ms);

 private:
  struct Question;
  void settle(Question& question, const RequestOutcome& outcome);
  RequestOutcome failure(base::Status status) const;

  const NodeView& view_;
  const Send send_;
  std::uint64_t next_id_ = kFirstId;
  std::map<std::uint64_t, std::unique_ptr<Question>> questions_;
  std::multimap<std::uint64_t, std::uint64_t> deadlines_;
};

}  // namespace server
