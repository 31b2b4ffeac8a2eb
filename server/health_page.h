// What /health and the client port's health call say: one JSON document, made from what the board
// and the journal hold, so that nobody waits for the loop or a disk. Door thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/node_view.h"

namespace server {

struct HealthQuery {
  bool verbose = false;               // with rows and events
  std::vector<std::string> excluded;  // checks that do not count and are not shown
};
/// Of "verbose&exclude=quorum&exclude=leader". What is not known is ignored, as Kubernetes does.
HealthQuery parse_health_query(std::string_view query);

/// One line of JSON with its end:
/// - healthy, member, role, leader, term, wall_ms, speed, score;
/// - checks: name, ok, reason;
/// - verdicts: verdict, member, other, since_ms (wall clock), evidence;
/// - verbose: rows (what each member sees of each other, and how old that is) and events.
std::string health_page(const NodeView& view, const HealthQuery& query);

}  // namespace server
