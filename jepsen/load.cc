#include "jepsen/load.h"

#include <algorithm>

namespace jepsen {
namespace {

constexpr std::uint32_t kCallMs = 2000;

}  // namespace

Load::Load(Cluster& cluster, Recorder& recorder, Workload& workload, LoadOptions options)
    : cluster_(cluster),
      recorder_(recorder),
      workload_(workload),
      options_(options),
      tasks_(*this) {
  base::Random random(options_.seed);
  for (std::uint32_t i = 0; i < options_.clients; ++i) {
    auto worker = std::make_unique<Worker>();
    worker->process = i;
    worker->role = i % 4 == 3 ? Role::kSticks : i % 4 == 2 ? Role::kReads : Role::kAll;
    worker->random = base::Random(random.next());
    worker->client = client::Client::make(cluster.loop(), options_of(i, worker->role)).value();
    workers_.push_back(std::move(worker));
  }
}

Load::~Load() = default;

client::Options Load::options_of(std::size_t number, Role role) const {
  const std::uint32_t scale = cluster_.time_scale();
  client::Options options;
  options.endpoints = cluster_.endpoints();
  options.timeout_ms = kCallMs * scale;
  options.silence_ms *= scale;
  options.leaderless_ms *= scale;
  options.retries = options_.retries;
  options.seed = options_.seed * 1000 + number + 1;
  if (role != Role::kSticks) return options;
  options.endpoints = {cluster_.client_address(number / 4 % cluster_.size())};
  options.pinned = true;
  options.retries = false;
  options.leaderless_ms /= 3;
  return options;
}

void Load::taskFailed(kj::Exception&& exception) {
  recorder_.note(
      "harness", "wrong",
      Value::text_of(std::string("a client ended: ") + exception.getDescription().cStr()));
}

void Load::begin() {
  const std::uint64_t start_ns = recorder_.now_ns();
  for (auto& worker : workers_) {
    worker->due_ns = start_ns + worker->random.below(1'000'000'000 / options_.rate *
                                                     static_cast<std::uint64_t>(options_.clients));
    tasks_.add(go_on(*worker));
  }
}

kj::Promise<void> Load::on_idle() {
  return tasks_.onEmpty();
}

kj::Promise<void> Load::go_on(Worker& worker) {
  if (stopping_) return kj::READY_NOW;
  const std::uint64_t now_ns = recorder_.now_ns();
  const std::uint64_t wait_ns = worker.due_ns > now_ns ? worker.due_ns - now_ns : 0;
  return cluster_.loop().timer().afterDelay(wait_ns * kj::NANOSECONDS).then([this, &worker] {
    if (stopping_) return;
    // All together, in waves, so that they meet; who is late does not catch up.
    const std::uint64_t wave_ns = 1'000'000'000ull * options_.clients / options_.rate;
    constexpr std::uint64_t kSpreadNs = 2'000'000;
    worker.due_ns = (recorder_.now_ns() / wave_ns + 1) * wave_ns + worker.random.below(kSpreadNs);
    // A task of its own instead of a longer and longer chain of promises.
    tasks_.add(
        perform(worker, workload_.next(worker.random, worker.role)).then([this, &worker](bool) {
          tasks_.add(go_on(worker));
        }));
  });
}

kj::Promise<bool> Load::perform(Worker& worker, Action action) {
  Event event;
  event.process = worker.process;
  event.type = Type::kInvoke;
  event.f = action.f;
  event.value = action.value;
  if (action.stale) {
    event.more = Value::map();
    event.more.set("stale", Value::of(1));
  }
  const std::uint64_t place = recorder_.record(std::move(event));
  auto call = action.call(*worker.client);
  return call.then([this, &worker, action = std::move(action), place](client::Outcome&& outcome) {
    return ended(worker, action, place, outcome);
  });
}

bool Load::ended(Worker& worker, const Action& action, std::uint64_t place,
                 const client::Outcome& outcome) {
  Event end;
  end.process = worker.process;
  end.f = action.f;
  end.value = action.value;
  end.more = Value::map();
  const base::Status& status = outcome.status;
  const bool ok = status.is_ok();
  end.type = ok ? Type::kOk : status.applied() == base::Applied::kNo ? Type::kFail : Type::kInfo;
  if (action.stale) end.more.set("stale", Value::of(1));
  if (ok) {
    end.revision = outcome.result.revision.value;
    end.term = outcome.header.term.value;
    const auto name = names_.find(outcome.header.member.value);
    end.node = name == names_.end() ? base::to_hex(outcome.header.member.value) : name->second;
    action.tell(outcome, end);
    if (outcome.repeated) end.more.set("repeated", Value::of(1));
  } else {
    end.error = std::string(base::traits(status.code()).name);
  }
  const Type type = end.type;
  recorder_.record(std::move(end));
  counters_.ok += type == Type::kOk ? 1 : 0;
  counters_.failed += type == Type::kFail ? 1 : 0;
  if (type != Type::kInfo) return ok;
  ++counters_.unknown;
  unknown_.push_back({place, outcome.session, outcome.sequence});
  worker.process += options_.clients;
  return false;
}

void Load::learn_names(const Cluster::Statuses& statuses) {
  for (const auto& status : statuses)
    if (status) names_[status->header.member.value] = status->name;
}

std::size_t Load::resolve_unknown() {
  std::size_t open = 0;
  for (const Unknown& one : unknown_) {
    client::Outcome outcome;
    outcome.status = base::Status(base::Code::kTimeout, "");
    if (one.session)
      (void)cluster_.loop().wait(workers_.front()
                                     ->client->resolve(one.session, one.sequence)
                                     .then([&](client::Outcome&& told) { outcome = told; }),
                                 2 * kCallMs * cluster_.time_scale());
    const bool never = outcome.status.code() == base::Code::kSealed;
    if (!outcome.status.is_ok() && !never) {
      ++open;
      continue;
    }
    // One whose compare failed happened and wrote nothing.
    const bool applied = outcome.status.is_ok() && outcome.result.succeeded;
    Event event;
    event.actor = "resolver";
    event.f = "resolve";
    event.value = Value::map();
    event.value.set("invoke", Value::of(static_cast<std::int64_t>(one.place)))
        .set("applied", Value::of(applied ? 1 : 0));
    event.revision = applied ? outcome.result.revision.value : 0;
    recorder_.record(std::move(event));
  }
  return open;
}

bool Load::last_reads(std::uint64_t timeout_ms) {
  const std::uint64_t end_ns = recorder_.now_ns() + timeout_ms * cluster_.time_scale() * kNsPerMs;
  bool all = true;
  for (const Action& action : workload_.last_reads()) {
    bool answered = false;
    while (!answered && recorder_.now_ns() < end_ns)
      (void)cluster_.loop().wait(
          perform(*workers_.front(), action).then([&](bool ok) { answered = ok; }),
          2 * kCallMs * cluster_.time_scale());
    all = all && answered;
  }
  return all;
}

}  // namespace jepsen
