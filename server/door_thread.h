// The door thread: client RPC and HTTP on a loop of their own, a bulkhead between clients and the
// members' loop (DESIGN section 4).
#pragma once

#include <cstdint>
#include <future>
#include <vector>

#include "base/mailbox.h"
#include "server/client_door.h"
#include "server/doorbell.h"
#include "server/events.h"
#include "server/node_view.h"
#include "server/stamps.h"

namespace server {

struct DoorOptions {
  ClientDoorOptions client;
  net::ConnectionLimits connection;
  std::uint32_t max_client_connections = 1024;
  std::uint32_t max_http_connections = 64;
};

/// Meets the loop in mailboxes only.
class DoorThread {
 public:
  DoorThread(DoorOptions options, NodeView view, Stamp& stamp, DoorPorts::Send send,
             DoorPorts::Send send_leases);

  // Any thread.
  void answer(std::vector<ClientAnswer> answers) { answers_.push(std::move(answers)); }
  void stop() { doorbell_.stop(); }
  /// Ready once run() listens on both addresses, or could not.
  std::future<base::Status> started() { return started_.get_future(); }
  // After started().
  std::uint16_t client_port() const { return client_port_; }
  std::uint16_t http_port() const { return http_port_; }

  /// The thread's life, until stop().
  void run();

 private:
  class Turn;  // what lives on the door's thread while run() does
  void drain();

  const DoorOptions options_;
  const NodeView view_;
  Stamp& stamp_;
  const DoorPorts::Send send_;
  const DoorPorts::Send send_leases_;
  std::promise<base::Status> started_;
  std::uint16_t client_port_ = 0;
  std::uint16_t http_port_ = 0;
  Turn* turn_ = nullptr;  // door thread
  Doorbell doorbell_;
  base::Mailbox<std::vector<ClientAnswer>> answers_;
  base::Mailbox<SnapshotExportDone> exports_;
  base::Mailbox<PulledChanges> pulled_;
};

}  // namespace server
