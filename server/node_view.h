// What the doors may see of a node: everything here can be read from any thread, at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/fault_plane.h"
#include "server/journal.h"
#include "server/log_sink.h"
#include "server/metrics.h"
#include "server/probe.h"
#include "server/readiness.h"
#include "server/space_probe.h"
#include "server/stamps.h"
#include "server/status_board.h"
#include "server/timelines.h"
#include "storage/log_store.h"

namespace server {

class ApplyThread;
struct AppendTimes;
class DiskThread;

/// Pointers outlive the doors; none is null.
struct NodeView {
  const Config* config = nullptr;
  const StatusBoard* board = nullptr;
  const Stamps* stamps = nullptr;
  const storage::LogStore* log = nullptr;
  LogSink* lines = nullptr;
  Journal* journal = nullptr;
  const SpaceProbe* space = nullptr;
  FaultPlane* faults = nullptr;
  const AppendTimes* append_times = nullptr;
  const Timelines* timelines = nullptr;
  std::function<std::uint64_t()> sessions;
  ApplyThread* apply = nullptr;  // only what any thread may call
  DiskThread* disk = nullptr;    // likewise
  ReadinessOptions readiness;
  ProbeOptions probe;
  ProbeBoard* probes = nullptr;
};

/// What the doors count themselves. Door thread.
struct DoorCounters {
  std::uint64_t calls = 0;
  std::uint64_t refused_calls = 0;  // overload, limits
  std::uint64_t timed_out_calls = 0;
  std::uint64_t connections = 0;  // open now
  std::uint64_t http_requests = 0;
  std::uint64_t watches = 0;       // now
  std::uint64_t watch_events = 0;  // sent
};

/// What is known of a member: from the configuration in force, else from the flags.
struct KnownMember {
  std::string name;            // the id in hex digits if nobody knows; empty for zero
  std::string client_address;  // empty if unknown
};
KnownMember known_member(const NodeView& view, base::MemberId id);

/// Everything that speaks for or against this member: readiness(), what its own probes met, and
/// whether others see it take in nothing. Any thread.
std::vector<HealthCheck> checks_of(const NodeView& view);

/// The text of /metrics.
std::string node_metrics(const NodeView& view, const DoorCounters& door);

}  // namespace server
