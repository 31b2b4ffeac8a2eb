#include "net/peer/link.h"

#include <algorithm>
#include <utility>

#include "net/peer/codec.h"
#include "net/socket.h"

namespace net::peer {
namespace {

/// What an unanswered call costs beside its message: questions and promises of the RPC system
/// (rpc.md section 4 measured 1 to 5 KB a call on both sides).
constexpr std::size_t kCallBytes = 2048;

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
      calls_(*this) {
  dial();
}

Link::~Link() noexcept(false) = default;

/// As of a dial whose packets, or whose answers, go nowhere.
bool Link::unreachable() const {
  LinkFaults* faults = options_.faults;
  return faults != nullptr && faults->any() &&
         (faults->on(peer_.id, Direction::kOut).cut || faults->on(peer_.id, Direction::kIn).cut);
}

void Link::dial() {
  if (unreachable()) {
    watch_ = loop_.timer()
                 .afterDelay(options_.dial_timeout_ms * kj::MILLISECONDS)
                 .then([this] { lost(); })
                 .eagerlyEvaluate(nullptr);
    return;
  }
  watch_ = net::dial(loop_, peer_.address, options_.dial_timeout_ms)
               .then([this](std::shared_ptr<Socket> socket) { connected(std::move(socket)); })
               .catch_([this](kj::Exception&&) { lost(); })
               .eagerlyEvaluate(nullptr);
}

void Link::connected(std::shared_ptr<Socket> socket) {
  if (options_.faults != nullptr) {
    socket->meet(std::make_shared<SocketFaults>(*options_.faults, peer_.id, random_.next()));
  }
  rpc_ = RpcClient::make(loop_, std::move(socket), options_.limits);
  client_ = rpc_->bootstrap().castAs<schema::Peer>();
  ++connection_;
  under_way_bytes_ = 0;
  unanswered_checks_ = 0;
  calls_.add(rpc_->on_disconnect().then([this, mine = connection_] {
    if (mine == connection_) lost();
  }));
  calls_.add(KJ_ASSERT_NONNULL(client_).whenResolved().then(
      [this, mine = connection_] {
        if (mine == connection_) answered();
      },
      [this, mine = connection_](kj::Exception&&) {
        if (mine == connection_) lost();
      }));
}

/// The peer's loop lives and speaks our protocol.
void Link::answered() {
  unanswered_checks_ = 0;
  if (is_up_) return;
  is_up_ = true;
  // Not as soon as it is connected: a peer that takes connections and drops them would be dialled
  // without pause.
  backoff_ms_ = options_.backoff_ms;
  up_();
}

/// Later, and not within a callback of the connection that is about to be destroyed.
void Link::lost() {
  const std::uint64_t wait_ms = random_.between(backoff_ms_ / 2 + 1, backoff_ms_);
  backoff_ms_ = std::min(backoff_ms_ * 2, options_.backoff_max_ms);
  ++connection_;
  calls_.add(
      kj::evalLater([this, mine = connection_] {
        if (mine != connection_) return;
        client_ = nullptr;
        rpc_.reset();
        under_way_bytes_ = 0;
        if (std::exchange(is_up_, false)) down_();
      }).then([this, wait_ms] {
          return loop_.timer().afterDelay(wait_ms * kj::MILLISECONDS);
        }).then([this, mine = connection_] {
        if (mine == connection_) dial();
      }));
}

bool Link::has_room(std::size_t bytes) const {
  return client_ != nullptr && (under_way_bytes_ == 0 || under_way_bytes_ + bytes <= queue_bytes_);
}

bool Link::send(const raft::Message& message) {
  const std::size_t message_bytes = envelope_bytes(message);
  if (!has_room(message_bytes + kCallBytes)) return false;
  auto request = KJ_ASSERT_NONNULL(client_).deliverRequest(
      capnp::MessageSize{message_bytes / sizeof(capnp::word), 0});
  encode(message, options_.cluster, request.initEnvelope());
  await(request.send().ignoreResult(), message_bytes + kCallBytes);
  return true;
}

bool Link::send_rows(const std::string& rows) {
  if (!has_room(rows.size() + kCallBytes)) return false;
  auto request = KJ_ASSERT_NONNULL(client_).observeRequest();
  request.setCluster(options_.cluster.value);
  request.setFrom(options_.self.value);
  request.setTo(peer_.id.value);
  request.setChecksum(rows_checksum(rows));
  request.setRows(kj::arrayPtr(reinterpret_cast<const kj::byte*>(rows.data()), rows.size()));
  await(request.send().ignoreResult(), rows.size() + kCallBytes);
  return true;
}

void Link::await(kj::Promise<void> answer, std::size_t bytes) {
  under_way_bytes_ += bytes;
  const auto mine = connection_;
  calls_.add(answer.then(
      [this, bytes, mine] {
        if (mine != connection_) return;
        under_way_bytes_ -= bytes;
        answered();
      },
      [this, bytes, mine](kj::Exception&& exception) {
        if (mine != connection_) return;
        under_way_bytes_ -= bytes;
        // A peer fails no call that it understands: what failed this one may fail them all.
        if (exception.getType() != kj::Exception::Type::UNIMPLEMENTED) lost();
      }));
}

/// Also a connection on which nothing is sent.
bool Link::reset_by_fault() {
  LinkFaults* faults = options_.faults;
  if (faults == nullptr || !faults->any() || rpc_ == nullptr) return false;
  for (const Direction each : {Direction::kOut, Direction::kIn}) {
    if (!faults->on(peer_.id, each).reset) continue;
    faults->hit(LinkFault::kReset, peer_.id, each);
    return true;
  }
  return false;
}

void Link::check() {
  if (reset_by_fault()) return lost();
  if (rpc_ == nullptr || (is_up_ && under_way_bytes_ == 0)) {
    unanswered_checks_ = 0;
  } else if (++unanswered_checks_ > options_.silent_ms / kCheckMs) {
    unanswered_checks_ = 0;
    lost();
  }
}

void Link::taskFailed(kj::Exception&&) {}

}  // namespace net::peer
