#include "server/client_door.h"

#include <algorithm>
#include <utility>

#include "schema/codec.h"
#include "server/clock.h"
#include "server/health_page.h"
#include "server/wire.h"
#include "storage/codec.h"

namespace server {

using base::Code;
using base::Result;
using base::Status;

/// One submit that is under way. A request's id is number * kMaxCalls + its place in the list.
struct ClientDoor::Submission {
  Context context;
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  std::shared_ptr<std::size_t> in_flight;  // calls of the connection
  std::vector<std::optional<RequestOutcome>> outcomes;
  std::vector<bool> writes;  // whether the call can take effect
  std::vector<std::uint64_t> traces;
  std::uint64_t began_us = 0;
  std::size_t open = 0;  // calls without an outcome
};

/// The capability of one connection: it only knows how much the connection has in flight. KJ may
/// let it go after the door: what was under way is cancelled in a later turn of the loop.
class ClientDoor::Connection final : public schema::Holdfast::Server {
 public:
  Connection(std::shared_ptr<ClientDoor*> door, std::function<void()> on_first_call)
      : door_of_(std::move(door)), on_first_call_(std::move(on_first_call)) {
    ++(*door_of_)->counters_.connections;
  }
  ~Connection() noexcept {
    if (*door_of_ != nullptr) --(*door_of_)->counters_.connections;
  }

  kj::Promise<void> submit(SubmitContext context) override {
    called();
    return door().submit(context, in_flight_);
  }
  kj::Promise<void> status(StatusContext context) override {
    door().status(context.getResults().initStatus());
    return kj::READY_NOW;
  }
  kj::Promise<void> fault(FaultContext context) override {
    const Status status = door().switch_fault(context.getParams());
    auto results = context.getResults();
    results.setCode(static_cast<std::uint16_t>(status.code()));
    results.setDetail(status.detail());
    if (door().view_.config->allow_faults) {
      const auto faults = door().view_.faults->list(fault_peers(door().view_));
      write_faults(faults, results.initFaults(static_cast<unsigned>(faults.size())));
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> health(HealthContext context) override {
    HealthQuery query;
    query.verbose = true;
    context.getResults().setJson(health_page(door().view_, query));
    return kj::READY_NOW;
  }
  kj::Promise<void> traces(TracesContext context) override {
    context.getResults().setJson(door().traces_.json());
    return kj::READY_NOW;
  }
  kj::Promise<void> snapshot(SnapshotContext context) override {
    called();
    return door().exports_.open(context);
  }
  kj::Promise<void> leases(LeasesContext context) override {
    called();
    return door().leases_.ask(context);
  }
  kj::Promise<void> watch(WatchContext context) override {
    called();
    return door().watches_.open(context);
  }
  kj::Promise<void> events(EventsContext context) override {
    return door().watches_.events(context);
  }

 private:
  ClientDoor& door() const {
    KJ_REQUIRE(*door_of_ != nullptr, "the door is closed");
    return **door_of_;
  }
  /// By a client, not by an operator who looks, or clears faults.
  void called() {
    if (on_first_call_) std::exchange(on_first_call_, nullptr)();
  }
  const std::shared_ptr<ClientDoor*> door_of_;
  std::function<void()> on_first_call_;
  std::shared_ptr<std::size_t> in_flight_ = std::make_shared<std::size_t>(0);
};

ClientDoor::ClientDoor(ClientDoorOptions options, NodeView view, std::string http_address,
                       DoorPorts ports, DoorCounters& counters)
    : options_(options),
      view_(std::move(view)),
      http_address_(std::move(http_address)),
      send_(std::move(ports.send)),
      counters_(counters),
      exports_(view_, std::move(ports.post)),
      traces_(view_),
      leases_(view_, std::move(ports.send_leases)),
      watches_(view_, std::move(ports.pull)),
      self_(std::make_shared<ClientDoor*>(this)) {}
ClientDoor::~ClientDoor() {
  *self_ = nullptr;
}

schema::Holdfast::Client ClientDoor::connect(std::function<void()> on_first_call) {
  return kj::heap<Connection>(self_, std::move(on_first_call));
}

kj::Promise<void> ClientDoor::submit(Context context, std::shared_ptr<std::size_t> in_flight) {
  const auto params = context.getParams();
  const auto calls = params.getCalls();
  KJ_REQUIRE(calls.size() <= kMaxCalls, "too many calls in one submit");
  const std::uint32_t asked_ms = params.getDeadlineMs();
  const std::uint64_t deadline_ms =
      boot_ms() +
      (asked_ms == 0 ? options_.default_deadline_ms : std::min(asked_ms, options_.max_deadline_ms));
  const std::uint64_t number = next_number_++;
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto submission = std::make_unique<Submission>(
      Submission{context, kj::mv(paf.fulfiller), in_flight, {}, {}, {}, boot_us(), calls.size()});
  const Seen seen = from_wire(params.getSeen());
  submission->outcomes.resize(calls.size());
  submission->writes.resize(calls.size(), false);
  counters_.calls += calls.size();
  *in_flight += calls.size();
  const bool overloaded = *in_flight > options_.calls_per_connection;

  std::vector<ClientRequest> requests;
  std::size_t size_bytes = 0;
  for (unsigned i = 0; i < calls.size(); ++i) {
    submission->traces.push_back(calls[i].getTrace());
    auto request = overloaded ? Status(Code::kOverloaded, "too many calls of this connection")
                              : understand(calls[i], number * kMaxCalls + i, &size_bytes);
    if (!request) {
      refuse(*submission, i, request.status());
      continue;
    }
    submission->writes[i] = !std::holds_alternative<ReadRequest>(request->body);
    requests.push_back(std::move(request).value());
    requests.back().seen = seen;
  }
  context.releaseParams();
  if (!requests.empty() && !send_(std::move(requests), size_bytes)) {
    for (std::size_t i = 0; i < submission->outcomes.size(); ++i) {
      if (!submission->outcomes[i]) {
        refuse(*submission, i, {Code::kOverloaded, "too much is queued at this member"});
      }
    }
  }
  const bool done = submission->open == 0;
  submissions_.emplace(number, std::move(submission));
  if (done) {
    complete(number);
  } else {
    deadlines_.emplace(deadline_ms, number);
  }
  return kj::mv(paf.promise);
}

Result<ClientRequest> ClientDoor::understand(schema::Call::Reader call, std::uint64_t id,
                                             std::size_t* size_bytes) const {
  Result<ClientRequest> request = Status(Code::kUnsupported, "this kind of call is not known here");
  switch (call.which()) {
    case schema::Call::OPEN_SESSION:
      request = ClientRequest{id, WriteRequest{storage::encode(kv::OpenSession{}), true}};
      break;
    case schema::Call::CLOSE_SESSION:
      request = ClientRequest{
          id, WriteRequest{storage::encode(kv::CloseSession{kv::SessionId(call.getCloseSession())}),
                           true}};
      break;
    case schema::Call::WRITE:
      request = understand_write(call.getWrite(), id);
      break;
    case schema::Call::READ:
      request = understand_read(call.getRead(), id);
      break;
    case schema::Call::MEMBERS:
      request = understand_members(call.getMembers(), id);
      break;
    case schema::Call::MOVE_LEADER:
      request = ClientRequest{id, MoveLeaderRequest{std::string(call.getMoveLeader().cStr())}};
      break;
  }
  *size_bytes += call.totalSize().wordCount * sizeof(capnp::word) + 64;
  return request;
}

Result<ClientRequest> ClientDoor::understand_write(schema::Write::Reader write,
                                                   std::uint64_t id) const {
  if (write.getSession() == 0 || write.getSequence() == 0) {
    return Status(Code::kInvalidArgument, "a write needs a session and a sequence number from 1");
  }
  auto transaction = schema::read(write.getTransaction());
  if (!transaction) return transaction.status();
  Status status = kv::validate(transaction.value(), options_.limits);
  if (!status.is_ok()) return status;
  const bool frees = !kv::stores(transaction.value());
  kv::Write command{kv::SessionId(write.getSession()), write.getSequence(),
                    write.getAcknowledgedBelow(), std::move(transaction).value(), write.getSeal()};
  status = kv::validate(command);
  if (!status.is_ok()) return status;
  return ClientRequest{id, WriteRequest{storage::encode(command), frees, command.session}};
}

Result<ClientRequest> ClientDoor::understand_read(schema::Read::Reader read,
                                                  std::uint64_t id) const {
  auto transaction = schema::read(read.getTransaction());
  if (!transaction) return transaction.status();
  Status status = kv::validate(transaction.value(), options_.limits);
  if (!status.is_ok()) return status;
  if (kv::writes(transaction.value())) {
    return Status(Code::kInvalidArgument, "a read must not write: send it as a write");
  }
  return ClientRequest{id, ReadRequest{std::move(transaction).value(), read.getSerializable(),
                                       read.getMaxStalenessMs()}};
}

Result<ClientRequest> ClientDoor::understand_members(schema::MemberChange::Reader from,
                                                     std::uint64_t id) const {
  if (from.getKind() > static_cast<std::uint8_t>(kLastMemberChangeKind)) {
    return Status(Code::kUnsupported, "this kind of membership change is not known here");
  }
  MemberChange change;
  change.kind = static_cast<MemberChangeKind>(from.getKind());
  change.name = from.getName().cStr();
  change.id = member_id_of(view_.config->cluster_token, change.name);
  change.peer_address = from.getPeerAddress().cStr();
  change.client_address = from.getClientAddress().cStr();
  change.learner = from.getLearner();
  return ClientRequest{id, std::move(change)};
}

void ClientDoor::refuse(Submission& submission, std::size_t call, Status status) {
  ++counters_.refused_calls;
  RequestOutcome outcome;
  outcome.status = std::move(status);
  outcome.header = header_of(view_);
  outcome.leader = view_.board->read()->replica.core.leader;
  settle(submission, call, std::move(outcome));
}

void ClientDoor::settle(Submission& submission, std::size_t call, RequestOutcome outcome) {
  CHECK(!submission.outcomes[call].has_value(), "one outcome a call");
  traces_.ended({.trace = submission.traces[call],
                 .kind = submission.writes[call] ? "write" : "read",
                 .began_us = submission.began_us,
                 .ended_us = boot_us(),
                 .status = outcome.status,
                 .term = outcome.header.term,
                 .index = outcome.index});
  submission.outcomes[call] = std::move(outcome);
  --submission.open;
  --*submission.in_flight;
}

void ClientDoor::answer(std::vector<ClientAnswer> answers) {
  for (auto& answer : answers) {
    if (answer.id >= LeaseCalls::kFirstId) {
      leases_.answer(std::move(answer));
      continue;
    }
    const std::uint64_t number = answer.id / kMaxCalls;
    const auto at = submissions_.find(number);
    if (at == submissions_.end()) continue;  // its deadline has passed
    settle(*at->second, answer.id % kMaxCalls, std::move(answer.outcome));
    if (at->second->open == 0) complete(number);
  }
}

void ClientDoor::expire(std::uint64_t now_ms) {
  exports_.expire(now_ms);
  leases_.expire(now_ms);
  watches_.tick(now_ms);
  counters_.watches = watches_.watches();
  counters_.watch_events = watches_.sent_events();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    const std::uint64_t number = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    const auto at = submissions_.find(number);
    if (at == submissions_.end()) continue;  // it was done in time
    Submission& submission = *at->second;
    for (std::size_t i = 0; i < submission.outcomes.size(); ++i) {
      if (submission.outcomes[i]) continue;
      ++counters_.timed_out_calls;
      // A read has no effect, so that nobody needs to find out what became of it.
      RequestOutcome outcome;
      outcome.status = submission.writes[i]
                           ? Status(Code::kTimeout, "not answered in time")
                           : Status(Code::kTimeoutBeforeSend,
                                    "a read that was not answered in time; it has no effect");
      outcome.header = header_of(view_);
      outcome.leader = view_.board->read()->replica.core.leader;
      settle(submission, i, std::move(outcome));
    }
    complete(number);
  }
}

void ClientDoor::complete(std::uint64_t number) {
  const auto at = submissions_.find(number);
  const std::unique_ptr<Submission> submission = std::move(at->second);
  submissions_.erase(at);
  const auto size = static_cast<unsigned>(submission->outcomes.size());
  auto outcomes = submission->context.getResults().initOutcomes(size);
  std::size_t room_bytes = options_.answer_bytes;
  for (unsigned i = 0; i < size; ++i) {
    room_bytes -= write_outcome(*submission->outcomes[i], view_, room_bytes, outcomes[i]);
  }
  submission->fulfiller->fulfill();
}

void ClientDoor::status(schema::MemberStatus::Builder to) const {
  write_status(view_, http_address_, to);
}

/// Faults are rare and meant to be seen: each is a line of the log.
Status ClientDoor::switch_fault(schema::Holdfast::FaultParams::Reader params) {
  if (!view_.config->allow_faults) {
    return {Code::kFaultsNotAllowed, "start holdfastd with --allow-faults"};
  }
  const std::string name = params.getName();
  if (!params.getOn()) {
    if (name.empty() && !params.getClear()) return Status::ok();
    const auto faults = view_.faults->list({});
    const bool was_on = std::any_of(faults.begin(), faults.end(), [&](const FaultState& fault) {
      return fault.on && (name.empty() || fault.name == name);
    });
    const Status status = view_.faults->clear(name);
    if (status.is_ok() && was_on) {
      view_.lines->write(LogLevel::kWarn, "fault cleared",
                         {{"fault", name.empty() ? "all" : name}});
      view_.journal->add({wall_ms(), "fault-cleared", 0, "", name.empty() ? "all" : name});
    }
    return status;
  }
  std::vector<FaultParameter> parameters;
  std::string text;
  for (auto each : params.getParameters()) {
    parameters.emplace_back(each.getName(), each.getValue());
    text += (text.empty() ? "" : " ") + parameters.back().first + "=" + parameters.back().second;
  }
  const std::uint64_t for_ms =
      params.getForMs() == 0 ? base::FaultSwitch::kForever : params.getForMs();
  const Status status = view_.faults->set(name, parameters, for_ms, fault_peers(view_));
  if (status.is_ok()) {
    view_.lines->write(
        LogLevel::kWarn, "fault injected",
        {{"fault", name}, {"parameters", text}, {"for_ms", std::uint64_t{params.getForMs()}}});
    view_.journal->add({wall_ms(), "fault-set", 0, "", text.empty() ? name : name + " " + text});
  }
  return status;
}

}  // namespace server
