// Fetches a snapshot file from one member, part by part (client/client.h: snapshot).
#include <kj/timer.h>

#include <utility>

#include "base/hash.h"
#include "client/channel.h"
#include "client/client.h"
#include "client/wire.h"

namespace client {
namespace {

using base::Code;
using base::Result;
using base::Status;

/// One fetch. Shared with its own promises; ends when they do.
class Fetch : public std::enable_shared_from_this<Fetch> {
 public:
  Fetch(net::Loop& loop, std::string endpoint, SnapshotRequest request)
      : loop_(loop), endpoint_(std::move(endpoint)), request_(std::move(request)) {}

  kj::Promise<Result<Header>> run() {
    auto address = net::parse_address(endpoint_);
    if (!address.is_ok()) return Result<Header>(address.status());
    return net::dial(loop_, address.value(), request_.timeout_ms)
        .then([self = shared_from_this()](std::shared_ptr<net::Socket> socket) {
          self->rpc_ = net::RpcClient::make(self->loop_, std::move(socket), {});
          self->member_ = self->rpc_->bootstrap().castAs<schema::Holdfast>();
          return self->catch_up();
        })
        .catch_([self = shared_from_this()](kj::Exception&& e) -> Result<Header> {
          return self->broken(describe(e, self->endpoint_));
        });
  }

 private:
  /// A linearizable read at this very member: it has then applied all that was acknowledged.
  kj::Promise<Result<Header>> catch_up() {
    if (request_.consistency == Consistency::kSerializable) return open();
    auto request = member_->submitRequest();
    request.setDeadlineMs(request_.timeout_ms);
    auto range = request.initCalls(1)[0].initRead().initTransaction().initThen(1)[0].initRange();
    range.initRange().setBegin(kj::StringPtr("\0", 1).asBytes());
    range.setCountOnly(true);
    return in_time(request.send())
        .then([self = shared_from_this()](auto&& reply) -> kj::Promise<Result<Header>> {
          if (reply.getOutcomes().size() != 1) return self->refused(Code::kProtocol, "no outcome");
          const auto outcome = reply.getOutcomes()[0];
          const auto code = static_cast<Code>(outcome.getCode());
          if (code != Code::kOk) return self->refused(code, outcome.getDetail().cStr());
          return self->open();
        });
  }

  kj::Promise<Result<Header>> open() {
    return in_time(member_->snapshotRequest().send())
        .then([self = shared_from_this()](auto&& reply) -> kj::Promise<Result<Header>> {
          const auto code = static_cast<Code>(reply.getCode());
          if (code != Code::kOk) return self->refused(code, reply.getDetail().cStr());
          self->header_ = from_wire(reply.getHeader());
          self->snapshot_ = reply.getSnapshot();
          return self->read();
        });
  }

  kj::Promise<Result<Header>> read() {
    return in_time(snapshot_->readRequest().send())
        .then([self = shared_from_this()](auto&& reply) -> kj::Promise<Result<Header>> {
          const auto code = static_cast<Code>(reply.getCode());
          if (code != Code::kOk) return self->refused(code, reply.getDetail().cStr());
          const auto bytes = reply.getData();
          const std::string_view data(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
          if (base::hash64(data) != reply.getChecksum()) {
            return self->refused(Code::kCorrupt, "what came fails its checksum");
          }
          if (Status status = self->request_.write(data); !status.is_ok()) {
            return Result<Header>(std::move(status));
          }
          self->bytes_ += data.size();
          if (reply.getDone()) return Result<Header>(self->header_);
          return self->read();
        });
  }

  template <class T>
  kj::Promise<T> in_time(kj::Promise<T> answer) {
    auto timeout = loop_.timer()
                       .afterDelay(request_.timeout_ms * kj::MILLISECONDS)
                       .then([self = shared_from_this()]() -> T {
                         kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "no answer within",
                                                              self->request_.timeout_ms, "ms"));
                       });
    return answer.exclusiveJoin(kj::mv(timeout));
  }

  Result<Header> refused(Code code, const std::string& why) const {
    return Status(code, endpoint_ + (why.empty() ? "" : ": " + why));
  }
  /// Nothing that is asked here has an effect, so that there is no outcome to be unsure of.
  Result<Header> broken(const std::string& why) const {
    const std::string where = bytes_ == 0 ? "" : "after " + std::to_string(bytes_) + " bytes: ";
    return Status(Code::kUnavailable, endpoint_ + ": " + where + why);
  }

  net::Loop& loop_;
  const std::string endpoint_;
  const SnapshotRequest request_;
  std::unique_ptr<net::RpcClient> rpc_;
  std::optional<schema::Holdfast::Client> member_;
  std::optional<schema::Snapshot::Client> snapshot_;
  Header header_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

kj::Promise<Result<Header>> snapshot(net::Loop& loop, std::string endpoint,
                                     SnapshotRequest request) {
  auto fetch = std::make_shared<Fetch>(loop, std::move(endpoint), std::move(request));
  auto done = fetch->run();
  return done.attach(kj::heap<std::shared_ptr<Fetch>>(std::move(fetch)));
}

}  // namespace client
