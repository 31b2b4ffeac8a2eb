// Lists that grow: what must come before what, told by the lists that were read, and never by
// revisions; no cycle, and nothing read that nobody appended. After Alvaro and Kingsbury, "Elle"
// (VLDB 2020), for strict serializability. Pure; any thread.
#pragma once

#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Anomalies by their names: duplicate, incompatible order, garbage, G1a (aborted read), G1b
/// (intermediate read), internal, G0, G1c, G-single, G2, and each cyclic one with -realtime.
/// Elements are unique a key. kEmpty: no list was read.
Finding check_appends(const History& history);

}  // namespace jepsen
