#include "net/peer/link.h"

#include <algorithm>
#include <utility>

#include "net/peer/codec.h"

namespace net::peer {
namespace {

constexpr std::uint64_t kSilentMs = 2000;

}  // namespace

Link::Link(Loop& loop, const LinksOptions& options, const PeerAddress& peer,
           std::size_t queue_bytes, std::uint64_t seed, std::function<void()> up,
           std::function<void()> down)
    : loop_(loop),
      options_(options),
      peer_(peer),
      queue_bytes_(queue_bytes),
      up_(std::move(up)),
      down_(std::move(down)),
      random_(seed),
      backoff_ms_(options.backoff_ms),
      answered_(loop.timer().now()),
      calls_(*this) {
  dial();
}

Link::~Link() noexcept(false) = default;

void Link::dial() {
  watch_ = net::dial(loop_, peer_.address, options_.dial_timeout_ms)
               .then([this](std::shared_ptr<Socket> socket) { connected(std::move(socket)); })
               .catch_([this](kj::Exception&&) { lost(); })
               .eagerlyEvaluate(nullptr);
}

void Link::connected(std::shared_ptr<Socket> socket) {
  rpc_ = RpcClient::make(loop_, std::move(socket), options_.limits);
  client_ = rpc_->bootstrap().castAs<schema::Peer>();
  ++connection_;
  under_way_bytes_ = 0;
  backoff_ms_ = options_.backoff_ms;
  // Not in watch_, whose own continuation this is.
  calls_.add(rpc_->on_disconnect().then([this, mine = connection_] {
    if (mine == connection_ && rpc_ != nullptr) lost();
  }));
  up_();
}

/// Later, and not within a callback of the connection that is about to be destroyed.
void Link::lost() {
  const bool was_up = rpc_ != nullptr;
  ++connection_;
  const std::uint64_t wait_ms = random_.between(backoff_ms_ / 2 + 1, backoff_ms_);
  backoff_ms_ = std::min(backoff_ms_ * 2, options_.backoff_max_ms);
  calls_.add(
      kj::evalLater([this, was_up, mine = connection_] {
        if (mine != connection_) return;
        client_ = nullptr;
        rpc_.reset();
        under_way_bytes_ = 0;
        if (was_up) down_();
      }).then([this, wait_ms] {
          return loop_.timer().afterDelay(wait_ms * kj::MILLISECONDS);
        }).then([this, mine = connection_] {
        if (mine == connection_) dial();
      }));
}

bool Link::send(const raft::Message& message) {
  const std::size_t bytes = raft::size_bytes(message) + 256;
  if (rpc_ == nullptr || client_ == nullptr) return false;
  if (under_way_bytes_ > 0 && under_way_bytes_ + bytes > queue_bytes_) return false;
  auto request = KJ_ASSERT_NONNULL(client_).deliverRequest(
      capnp::MessageSize{bytes / sizeof(capnp::word) + 64, 0});
  encode(message, options_.cluster, request.initEnvelope());
  if (under_way_bytes_ == 0) answered_ = loop_.timer().now();
  under_way_bytes_ += bytes;
  calls_.add(request.send().ignoreResult().then([this, bytes, mine = connection_] {
    if (mine != connection_) return;
    under_way_bytes_ -= bytes;
    answered_ = loop_.timer().now();
  }));
  return true;
}

void Link::check() {
  if (rpc_ == nullptr || under_way_bytes_ == 0) return;
  if (loop_.timer().now() - answered_ > kSilentMs * kj::MILLISECONDS) lost();
}

/// Calls of a lost connection end here; on_disconnect tells of the loss itself.
void Link::taskFailed(kj::Exception&&) {}

}  // namespace net::peer
