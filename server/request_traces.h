// The requests that were slow or failed, each with where it waited: kept for whoever asks
// (`holdfast trace`), named by the id that the client gave it. Door thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "server/timelines.h"

namespace server {

struct NodeView;

/// A request at its end. Times are of the boot-time clock, in microseconds.
struct EndedRequest {
  std::uint64_t trace = 0;  // the client's; 0: none
  std::string_view kind;    // "write", "read", …
  std::uint64_t began_us = 0, ended_us = 0;
  base::Status status;
  base::Term term;
  base::Index index;  // of its entry; zero: it has none
};

struct TraceSpan {
  std::string name;  // "append", "log sync", "n2", "commit", "apply", "answer"
  std::uint64_t began_us = 0, ended_us = 0;
};
/// The parts of its life that are known, in their order. `name_of`: what people call a peer.
std::vector<TraceSpan> spans_of(const EndedRequest& request, const Timelines::Reached& reached,
                                const std::function<std::string(base::MemberId)>& name_of);

/// Invariant: at most kMost, the newest.
class RequestTraces {
 public:
  static constexpr std::size_t kMost = 256;
  static constexpr std::uint64_t kSlowUs = 100'000;

  explicit RequestTraces(const NodeView& view) : view_(view) {}

  /// Keeps it if it took kSlowUs, or failed in a way that is not the client's own fault.
  void ended(const EndedRequest& request);
  /// {"member", "requests": [{"trace", "kind", "at_ms", "took_ms", "outcome", "detail", "term",
  /// "index", "spans": [{"name", "at_us", "took_us"}]}]}, oldest first; `at_us` counts from its
  /// begin.
  std::string json() const;

 private:
  struct Kept {
    EndedRequest request;
    std::uint64_t began_wall_ms = 0;
    std::vector<TraceSpan> spans;
  };
  const NodeView& view_;
  std::deque<Kept> kept_;
};

}  // namespace server
