// The HTTP door: /livez, /readyz, /metrics, /version. Reads what is published, asks nobody.
// Door thread.
#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include <memory>

#include "server/node_view.h"

namespace server {

/// Every page is answered from memory, so a member without quorum or with a hung disk still
/// answers.
class HttpDoor {
 public:
  HttpDoor(kj::Timer& timer, NodeView view, DoorCounters& counters);
  ~HttpDoor();

  /// Serves one connection; resolves when it is over. The door outlives it.
  kj::Promise<void> serve(kj::Own<kj::AsyncIoStream> stream);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace server
