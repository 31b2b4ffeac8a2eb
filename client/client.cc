#include "client/client.h"

#include "client/dispatcher.h"
#include "net/connection.h"

namespace client {

class Client::Impl {
 public:
  Impl(net::Loop& loop, Options options) : dispatcher(loop, std::move(options)) {}
  Dispatcher dispatcher;
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

base::Result<std::unique_ptr<Client>> Client::make(net::Loop& loop, Options options) {
  if (options.endpoints.empty())
    return base::Status(base::Code::kInvalidArgument, "no endpoint given");
  for (const auto& endpoint : options.endpoints) {
    auto address = net::parse_address(endpoint);
    if (!address.is_ok()) return address.status();
  }
  return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(loop, std::move(options))));
}

namespace {

kj::Promise<Outcome> refuse(base::Status status) {
  Outcome outcome;
  outcome.status = std::move(status);
  return kj::mv(outcome);
}

}  // namespace

kj::Promise<Outcome> Client::write(kv::Transaction transaction) {
  auto valid = kv::validate(transaction, kv::Limits{});
  if (!valid.is_ok()) return refuse(std::move(valid));
  auto call = std::make_shared<Call>();
  call->kind = Call::Kind::kWrite;
  call->transaction = std::move(transaction);
  return impl_->dispatcher.submit(std::move(call));
}

kj::Promise<Outcome> Client::read(kv::Transaction transaction, Consistency consistency,
                                  std::uint32_t max_staleness_ms) {
  auto valid = kv::validate(transaction, kv::Limits{});
  if (!valid.is_ok()) return refuse(std::move(valid));
  if (kv::writes(transaction))
    return refuse(base::Status(base::Code::kInvalidArgument, "a read may not put or delete"));
  auto call = std::make_shared<Call>();
  call->kind = Call::Kind::kRead;
  call->consistency = consistency;
  call->max_staleness_ms = max_staleness_ms;
  call->transaction = std::move(transaction);
  return impl_->dispatcher.submit(std::move(call));
}

kj::Promise<Outcome> Client::put(std::string key, std::string value) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::PutOperation{std::move(key), std::move(value), false});
  return write(std::move(transaction));
}

kj::Promise<Outcome> Client::get(std::string key, Consistency consistency) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::RangeOperation{{std::move(key), ""}, 0, false, false});
  return read(std::move(transaction), consistency);
}

kj::Promise<Outcome> Client::del(std::string key) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::DeleteOperation{{std::move(key), ""}, false});
  return write(std::move(transaction));
}

kj::Promise<Outcome> Client::cas(std::string key, base::Revision modify_revision,
                                 std::string value) {
  kv::Transaction transaction;
  kv::Compare compare;
  compare.key = key;
  compare.target = kv::CompareTarget::kModifyRevision;
  compare.number = modify_revision.value;
  transaction.compares.push_back(std::move(compare));
  transaction.then.push_back(kv::PutOperation{std::move(key), std::move(value), false});
  return write(std::move(transaction));
}

kj::Promise<Outcome> Client::grant(std::uint64_t ttl_ms, bool of_session) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::GrantOperation{{}, ttl_ms, of_session});
  return write(std::move(transaction));
}

kj::Promise<Outcome> Client::revoke(base::LeaseId lease) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::RevokeOperation{lease});
  return write(std::move(transaction));
}

kj::Promise<Outcome> Client::resolve(base::SessionId session, std::uint64_t sequence) {
  if (!session || sequence == 0)
    return refuse(base::Status(base::Code::kInvalidArgument, "no session or no sequence given"));
  auto call = std::make_shared<Call>();
  call->kind = Call::Kind::kResolve;
  call->session = session;
  call->sequence = sequence;
  return impl_->dispatcher.submit(std::move(call));
}

kj::Promise<Outcome> Client::members(MemberChange change) {
  auto call = std::make_shared<Call>();
  call->kind = Call::Kind::kMembers;
  call->change = std::move(change);
  return impl_->dispatcher.submit(std::move(call));
}

kj::Promise<Outcome> Client::move_leader(std::string to) {
  auto call = std::make_shared<Call>();
  call->kind = Call::Kind::kMoveLeader;
  call->to = std::move(to);
  return impl_->dispatcher.submit(std::move(call));
}

void Client::accept_history() {
  impl_->dispatcher.forget_history();
}

kj::Promise<Outcome> Client::close_session() {
  const base::SessionId session = impl_->dispatcher.session();
  if (!session) return Outcome{};
  impl_->dispatcher.forget_session();
  auto call = std::make_shared<Call>();
  call->kind = Call::Kind::kCloseSession;
  call->session = session;
  return impl_->dispatcher.submit(std::move(call));
}

std::vector<std::string> Client::endpoints() const {
  return impl_->dispatcher.endpoints().addresses();
}
base::SessionId Client::session() const {
  return impl_->dispatcher.session();
}
std::uint64_t Client::retries() const {
  return impl_->dispatcher.retries();
}

}  // namespace client
