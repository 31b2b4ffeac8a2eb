// Questions to one member over a connection of their own (client/client.h: status, health, fault).
#include <kj/timer.h>

#include "client/channel.h"
#include "client/client.h"
#include "client/wire.h"

namespace client {
namespace {

struct Connection {
  std::unique_ptr<net::RpcClient> rpc;
  schema::Holdfast::Client member;
};

base::Status unavailable(const std::string& endpoint, const std::string& why) {
  return base::Status(base::Code::kUnavailable, endpoint + ": " + why);
}

/// Dials, asks by `question` and gives its answer; a failure or the time-out as a Status.
template <class T, class Question>
kj::Promise<base::Result<T>> ask(net::Loop& loop, const std::string& endpoint,
                                 std::uint32_t timeout_ms, Question question) {
  auto address = net::parse_address(endpoint);
  if (!address.is_ok()) return base::Result<T>(address.status());
  auto answer =
      net::dial(loop, address.value(), timeout_ms)
          .then([&loop, question](std::shared_ptr<net::Socket> socket) mutable {
            auto rpc = net::RpcClient::make(loop, std::move(socket), net::ConnectionLimits{});
            auto member = rpc->bootstrap().castAs<schema::Holdfast>();
            auto connection = kj::heap<Connection>(Connection{std::move(rpc), kj::mv(member)});
            auto promise = question(connection->member);
            return promise.attach(kj::mv(connection));
          })
          .catch_([endpoint](kj::Exception&& e) -> base::Result<T> {
            return unavailable(endpoint, describe(e, endpoint));
          });
  auto timeout =
      loop.timer()
          .afterDelay(timeout_ms * kj::MILLISECONDS)
          .then([endpoint, timeout_ms]() -> base::Result<T> {
            return unavailable(endpoint, "no answer within " + std::to_string(timeout_ms) + " ms");
          });
  return answer.exclusiveJoin(kj::mv(timeout));
}

}  // namespace

kj::Promise<base::Result<MemberStatus>> status(net::Loop& loop, std::string endpoint,
                                               std::uint32_t timeout_ms) {
  return ask<MemberStatus>(loop, endpoint, timeout_ms, [](schema::Holdfast::Client& member) {
    return member.statusRequest().send().then(
        [](capnp::Response<schema::Holdfast::StatusResults>&& reply) -> base::Result<MemberStatus> {
          return from_wire(reply.getStatus());
        });
  });
}

kj::Promise<base::Result<std::string>> health(net::Loop& loop, std::string endpoint,
                                              std::uint32_t timeout_ms) {
  return ask<std::string>(loop, endpoint, timeout_ms, [](schema::Holdfast::Client& member) {
    return member.healthRequest().send().then(
        [](capnp::Response<schema::Holdfast::HealthResults>&& reply) -> base::Result<std::string> {
          return std::string(reply.getJson().cStr());
        });
  });
}

kj::Promise<base::Result<std::string>> traces(net::Loop& loop, std::string endpoint,
                                              std::uint32_t timeout_ms) {
  return ask<std::string>(loop, endpoint, timeout_ms, [](schema::Holdfast::Client& member) {
    return member.tracesRequest().send().then(
        [](capnp::Response<schema::Holdfast::TracesResults>&& reply) -> base::Result<std::string> {
          return std::string(reply.getJson().cStr());
        });
  });
}

kj::Promise<base::Result<std::vector<Fault>>> fault(net::Loop& loop, std::string endpoint,
                                                    FaultChange change, std::uint32_t timeout_ms) {
  using Faults = std::vector<Fault>;
  return ask<Faults>(
      loop, endpoint, timeout_ms, [endpoint, change](schema::Holdfast::Client& member) {
        auto request = member.faultRequest();
        request.setName(change.name);
        request.setOn(change.kind == FaultChange::Kind::kSet);
        request.setClear(change.kind == FaultChange::Kind::kClear);
        request.setForMs(change.for_ms);
        auto parameters = request.initParameters(static_cast<unsigned>(change.parameters.size()));
        for (unsigned i = 0; i < parameters.size(); ++i) {
          parameters[i].setName(change.parameters[i].first);
          parameters[i].setValue(change.parameters[i].second);
        }
        return request.send().then(
            [endpoint](
                capnp::Response<schema::Holdfast::FaultResults>&& reply) -> base::Result<Faults> {
              const auto code = static_cast<base::Code>(reply.getCode());
              if (code != base::Code::kOk)
                return base::Status(code, endpoint + ": " + std::string(reply.getDetail().cStr()));
              return from_wire(reply.getFaults());
            });
      });
}

}  // namespace client
