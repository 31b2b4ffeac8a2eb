// A bit that flipped on the wire made the answer to a link's first question one that names nothing:
// from then on every call failed at once, nothing was under way, and the link was kept for ever.
// The other end heard nobody for half a minute after the fault was gone (acceptance row
// corrupt-frames).
#include <gtest/gtest.h>

#include <kj/exception.h>

#include "net/connection.h"
#include "net/peer/links.h"
#include "schema/peer.capnp.h"

namespace net::peer {
namespace {

class Peer final : public schema::Peer::Server {
 public:
  Peer(bool broken, std::uint64_t& delivered) : broken_(broken), delivered_(delivered) {}
  kj::Promise<void> deliver(DeliverContext) override {
    if (broken_) return KJ_EXCEPTION(FAILED, "as of a capability that is none");
    ++delivered_;
    return kj::READY_NOW;
  }

 private:
  const bool broken_;
  std::uint64_t& delivered_;
};

TEST(LinkToNothing, IsDialledAgain) {
  Loop loop;
  constexpr std::uint64_t kBroken = 4;  // of two links, the first two connections each
  std::uint64_t connections = 0, delivered = 0;
  kj::Vector<kj::Promise<void>> served;
  auto listener =
      Listener::listen(loop, {"127.0.0.1", 0}, 100, [&](std::shared_ptr<Socket> socket) {
        const bool broken = ++connections <= kBroken;
        capnp::Capability::Client bootstrap = kj::heap<Peer>(broken, delivered);
        served.add(serve_rpc(loop, std::move(socket), bootstrap, ConnectionLimits{})
                       .eagerlyEvaluate([](kj::Exception&&) {}));
      });
  ASSERT_TRUE(listener.is_ok());
  LinksOptions options;
  options.cluster = base::ClusterId(1);
  options.self = base::MemberId(1);
  options.listen = {"127.0.0.1", 0};
  options.peers = {{base::MemberId(2), {"127.0.0.1", listener.value()->port()}}};
  auto links = Links::start(loop, options,
                            {.message = [](raft::Message) {},
                             .rows = {},
                             .link_up = [](base::MemberId) {},
                             .link_down = [](base::MemberId) {}});
  ASSERT_TRUE(links.is_ok());
  for (int i = 0; i < 500 && delivered == 0; ++i) {
    raft::Message message;
    message.from = base::MemberId(1);
    message.to = base::MemberId(2);
    message.body = raft::Heartbeat{};
    links.value()->send(std::move(message));
    loop.wait(kj::NEVER_DONE, 10);
  }
  EXPECT_GT(delivered, 0u);
  EXPECT_GT(connections, kBroken);
}

}  // namespace
}  // namespace net::peer
