// Two-party Cap'n Proto RPC over our message stream: the trio of stream, network and system, with
// the limits that TwoPartyServer does not take (rpc.md section 4).
#include <utility>

#include "net/connection.h"
#include "net/message_stream.h"

namespace net {
namespace {

using Side = capnp::rpc::twoparty::Side;

capnp::ReaderOptions reader_options(const ConnectionLimits& limits) {
  capnp::ReaderOptions options;
  // The network refuses to send more than this; MessageStream allows readers several times as much.
  options.traversalLimitInWords = limits.message_bytes / sizeof(capnp::word);
  return options;
}

/// A backstop behind the server's own counting: it stops reading the whole connection.
std::size_t flow_limit_words(const ConnectionLimits& limits) {
  return 2 * limits.message_bytes / sizeof(capnp::word);
}

struct Served {
  Served(Loop& loop, std::shared_ptr<Socket> socket, capnp::Capability::Client bootstrap,
         const ConnectionLimits& limits)
      : stream(loop, std::move(socket), limits, true),
        network(stream, Side::SERVER, reader_options(limits)),
        system(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
    system.setFlowLimit(flow_limit_words(limits));
  }
  MessageStream stream;
  capnp::TwoPartyVatNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
};

class TwoPartyClient final : public RpcClient {
 public:
  TwoPartyClient(Loop& loop, std::shared_ptr<Socket> socket, const ConnectionLimits& limits)
      : socket_(socket),
        stream_(loop, std::move(socket), limits, false),
        network_(stream_, Side::CLIENT, reader_options(limits)),
        system_(capnp::makeRpcClient(network_)) {}

  capnp::Capability::Client bootstrap() override {
    capnp::MallocMessageBuilder message(4);
    auto vat = message.getRoot<capnp::rpc::twoparty::VatId>();
    vat.setSide(Side::SERVER);
    return system_.bootstrap(vat);
  }
  kj::Promise<void> on_disconnect() override {
    return network_.onDisconnect().exclusiveJoin(socket_->on_close());
  }
  std::size_t queued_bytes() const override { return socket_->queued_bytes(); }

 private:
  const std::shared_ptr<Socket> socket_;
  MessageStream stream_;
  capnp::TwoPartyVatNetwork network_;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system_;
};

}  // namespace

kj::Promise<void> serve_rpc(Loop& loop, std::shared_ptr<Socket> socket,
                            capnp::Capability::Client bootstrap, const ConnectionLimits& limits) {
  auto served = kj::heap<Served>(loop, std::move(socket), kj::mv(bootstrap), limits);
  auto gone = served->network.onDisconnect();
  return gone.attach(kj::mv(served));
}

std::unique_ptr<RpcClient> RpcClient::make(Loop& loop, std::shared_ptr<Socket> socket,
                                           const ConnectionLimits& limits) {
  return std::make_unique<TwoPartyClient>(loop, std::move(socket), limits);
}

}  // namespace net
