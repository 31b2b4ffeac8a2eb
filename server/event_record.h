// Where what happens inside a member is written down for people: each trace event and verdict as a
// line of the log, and those that decide who leads or who is well in the journal too. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "health/matrix.h"
#include "raft/trace.h"
#include "server/journal.h"
#include "server/log_sink.h"

namespace server {

class EventRecord {
 public:
  /// Both outlive it.
  EventRecord(LogSink& lines, Journal& journal) : lines_(lines), journal_(journal) {}

  void trace(const raft::TraceEvent& event, const health::NameOf& name_of);
  void judged(const health::Verdict& verdict, bool stands, const health::NameOf& name_of);

 private:
  LogSink& lines_;
  Journal& journal_;
};

}  // namespace server
