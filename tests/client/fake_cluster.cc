#include "tests/client/fake_cluster.h"

#include "base/check.h"
#include "base/hash.h"
#include "client/call.h"
#include "schema/codec.h"

namespace client {

/// One reading of its snapshot.
class FakeMember::Snapshot final : public schema::Snapshot::Server {
 public:
  explicit Snapshot(FakeMember& member) : member_(member) {}
  kj::Promise<void> read(ReadContext context) override {
    const std::size_t at = next_++;
    const std::string& part = member_.snapshot.at(at);
    const Trouble trouble =
        at == member_.snapshot_trouble_at ? member_.snapshot_trouble : Trouble::kNone;
    if (trouble == Trouble::kHold) return kj::NEVER_DONE;
    if (trouble == Trouble::kDrop) {
      member_.loop_.post([member = &member_] { member->drop_connections(); });
      return kj::NEVER_DONE;
    }
    auto results = context.getResults();
    if (trouble == Trouble::kRefuse) {
      results.setCode(static_cast<std::uint16_t>(base::Code::kUnavailable));
      results.setDetail("as told");
      return kj::READY_NOW;
    }
    results.setData(kj::arrayPtr(reinterpret_cast<const kj::byte*>(part.data()), part.size()));
    results.setChecksum(base::hash64(trouble == Trouble::kAlter ? part + "x" : part));
    results.setDone(next_ == member_.snapshot.size());
    return kj::READY_NOW;
  }

 private:
  FakeMember& member_;
  std::size_t next_ = 0;
};

class FakeMember::Server final : public schema::Holdfast::Server {
 public:
  explicit Server(FakeMember& member) : member_(member) {}

  kj::Promise<void> status(StatusContext context) override {
    if (member_.frozen) return kj::NEVER_DONE;
    auto status = context.getResults().initStatus();
    write_header(status.initHeader());
    status.setName("n" + std::to_string(member_.id_));
    status.setRole(member_.leads ? "leader" : "follower");
    auto peers = status.initPeers(static_cast<unsigned>(member_.peers.size()));
    for (unsigned i = 0; i < peers.size(); ++i) peers[i].setClientAddress(member_.peers[i]);
    return kj::READY_NOW;
  }

  kj::Promise<void> snapshot(SnapshotContext context) override {
    write_header(context.getResults().initHeader());
    context.getResults().setSnapshot(kj::heap<Snapshot>(member_));
    return kj::READY_NOW;
  }

  kj::Promise<void> submit(SubmitContext context) override {
    if (member_.frozen) return kj::NEVER_DONE;
    auto calls = context.getParams().getCalls();
    member_.batches.push_back(calls.size());
    const auto seen = context.getParams().getSeen();
    member_.seen.applied = base::Index(seen.getApplied());
    member_.seen.generation = seen.getGeneration();
    member_.seen.hash.value = seen.getHash();
    member_.seen.time = base::HybridTime(seen.getTime());
    const Submit how = member_.submit;
    if (member_.times > 0 && --member_.times == 0) member_.submit = Submit::kServe;
    KJ_REQUIRE(how != Submit::kThrowIfMany || calls.size() == 1, "the reply is too large");
    auto outcomes = context.getResults().initOutcomes(calls.size());
    for (unsigned i = 0; i < calls.size(); ++i) answer(how, calls[i], outcomes[i]);
    if (how == Submit::kHold) return kj::NEVER_DONE;
    if (how == Submit::kApplyAndDrop) {
      // By a task of the loop: this runs inside the connection that goes.
      member_.loop_.post([member = &member_] { member->drop_connections(); });
      return kj::NEVER_DONE;
    }
    return kj::READY_NOW;
  }

 private:
  void write_header(schema::Header::Builder to) {
    to.setCluster(7);
    to.setMember(member_.id_);
    to.setTerm(member_.term);
    to.setRevision(member_.state_.revision);
    to.setGeneration(3);
    to.setApplied(member_.state_.revision);
    to.setHash(member_.state_.revision * 7);
    to.setTime(member_.state_.revision << 16);
  }

  void fail(schema::Outcome::Builder to, base::Code code) {
    to.setCode(static_cast<std::uint16_t>(code));
    to.setDetail("as told");
    to.setLeaderAddress(member_.leader_hint);
  }

  void answer(Submit how, schema::Call::Reader call, schema::Outcome::Builder to) {
    write_header(to.initHeader());
    note(call);
    if (how == Submit::kRefuse || how == Submit::kHold) return fail(to, member_.code);
    const bool anyone = call.isRead() && call.getRead().getSerializable();
    if (!member_.leads && !anyone) return fail(to, base::Code::kNotLeader);
    apply(call, to);
    if (how == Submit::kApplyAndFail) fail(to, member_.code);
  }

  void note(schema::Call::Reader call) {
    if (call.isRead()) ++member_.reads;
    if (!call.isWrite()) return;
    auto write = call.getWrite();
    auto then = write.getTransaction().getThen();
    std::string key;
    if (then.size() > 0 && then[0].isPut())
      key.assign(then[0].getPut().getKey().asChars().begin(),
                 then[0].getPut().getKey().asChars().end());
    member_.writes.push_back({write.getSession(), write.getSequence(), write.getAcknowledgedBelow(),
                              key, call.getTrace()});
  }

  void apply(schema::Call::Reader call, schema::Outcome::Builder to) {
    FakeState& state = member_.state_;
    if (call.isOpenSession()) {
      state.sessions.insert(++state.last_session);
      to.setSession(state.last_session);
    } else if (call.isCloseSession()) {
      state.sessions.erase(call.getCloseSession());
    } else if (call.isWrite()) {
      write(call.getWrite(), to);
    } else {
      read(call.getRead(), to);
    }
  }

  void write(schema::Write::Reader write, schema::Outcome::Builder to) {
    FakeState& state = member_.state_;
    if (!state.sessions.contains(write.getSession())) return fail(to, base::Code::kUnknownSession);
    const auto id = std::make_pair(write.getSession(), write.getSequence());
    const auto before = state.applied.find(id);
    if (before != state.applied.end()) {
      ++state.repeated;
      to.setRepeated(true);
    } else {
      state.applied[id] = ++state.revision;
      auto transaction = schema::read(write.getTransaction());
      CHECK(transaction.is_ok());
      for (const auto& operation : transaction.value().then)
        if (const auto* put = std::get_if<kv::PutOperation>(&operation))
          state.values[put->key] = put->value;
    }
    kv::TransactionResult result;
    result.succeeded = true;
    result.revision = base::Revision(state.applied[id]);
    result.results.push_back(kv::PutResult{});
    schema::write(result, to.initResult());
  }

  void read(schema::Read::Reader read, schema::Outcome::Builder to) {
    auto transaction = schema::read(read.getTransaction());
    CHECK(transaction.is_ok());
    kv::RangeResult range;
    const auto& key = std::get<kv::RangeOperation>(transaction.value().then.at(0)).range.begin;
    const auto found = member_.state_.values.find(key);
    if (found != member_.state_.values.end()) {
      kv::KeyValue item;
      item.key = key;
      item.value = found->second;
      range.items.push_back(item);
      range.count = 1;
    }
    kv::TransactionResult result;
    result.succeeded = true;
    result.results.push_back(range);
    schema::write(result, to.initResult());
  }

  FakeMember& member_;
};

FakeMember::FakeMember(net::Loop& loop, FakeState& state, std::uint64_t id)
    : loop_(loop), state_(state), id_(id) {
  start();
}

FakeMember::~FakeMember() = default;

std::string FakeMember::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

void FakeMember::start() {
  auto listener = net::Listener::listen(
      loop_, net::Address{"127.0.0.1", port_}, 64, [this](std::shared_ptr<net::Socket> socket) {
        ++connections;
        served_.push_back(net::serve_rpc(loop_, std::move(socket), kj::heap<Server>(*this),
                                         net::ConnectionLimits{})
                              .eagerlyEvaluate([](kj::Exception&&) {}));
      });
  CHECK(listener.is_ok(), listener.status().to_string());
  listener_ = std::move(listener).value();
  port_ = listener_->port();
}

void FakeMember::stop() {
  listener_.reset();
  drop_connections();
}

void FakeMember::drop_connections() {
  served_.clear();
}

}  // namespace client
