#include <algorithm>

#include "client/watch.h"
#include "jepsen/actors.h"
#include "jepsen/history/history.h"

namespace jepsen {
namespace {

client::Options options_for(const Cluster& cluster, std::optional<std::size_t> member) {
  client::Options options;
  options.endpoints = cluster.endpoints();
  options.silence_ms *= cluster.time_scale();
  if (!member) return options;
  options.endpoints = {cluster.client_address(*member)};
  options.pinned = true;
  return options;
}

/// All keys.
client::WatchOptions from_revision(std::uint64_t revision, bool previous) {
  client::WatchOptions options;
  options.range = {std::string(1, '\x01'), std::string(kv::kToTheEnd)};
  options.from = base::Revision(revision);
  options.previous = previous;
  return options;
}

Value of(std::uint64_t number) {
  return Value::of(static_cast<std::int64_t>(number));
}

/// What was there before an event: absent, or unknown where nobody can tell any more.
Value old_of(const client::WatchEvent& event, const Workload& workload) {
  const kv::KeyValue& item = event.event.item;
  if (event.previous) {
    const auto before = workload.change({0, false, *event.previous});
    return before ? Value::of(before->second) : Value::text_of("?");
  }
  const bool created = !event.event.deleted && item.create_revision == item.modify_revision;
  return created ? Value::of(kAbsent) : Value::text_of("?");
}

/// One watch, which begins anew where it is told to.
class Watch {
 public:
  Watch(const Stage& stage, std::string name, std::optional<std::size_t> member)
      : stage_(stage),
        name_(std::move(name)),
        node_(member ? stage.cluster.name(*member) : ""),
        watcher_(stage.cluster.loop(), options_for(stage.cluster, member)) {}

  void begin(std::uint64_t from) {
    Value value = Value::map();
    value.set("from", of(from));
    stage_.recorder.note(name_, "watch", std::move(value), node_);
    (void)watcher_.watch(
        from_revision(from, true),
        [this](client::WatchBatch&& batch) -> kj::Promise<void> {
          take(batch);
          return kj::READY_NOW;
        },
        [this](const base::Status& why, base::Revision resume) { ended(why, resume); });
  }
  std::uint64_t told() const { return told_; }

 private:
  void take(const client::WatchBatch& batch) {
    told_ = batch.revision.value;
    Value events = Value::list();
    for (const auto& event : batch.events) {
      const auto change = stage_.workload.change(event.event);
      if (!change) continue;
      events.items.push_back(
          Value::list({of(event.event.item.modify_revision.value), of(event.event.sub_index),
                       change->first, Value::of(change->second), old_of(event, stage_.workload)}));
    }
    Value value = Value::map();
    value.set("previous", of(batch.previous.value)).set("revision", of(batch.revision.value));
    value.set("events", std::move(events));
    stage_.recorder.note(name_, "batch", std::move(value), node_);
  }
  void ended(const base::Status& why, base::Revision resume) {
    if (resume) return begin(resume.value);
    stage_.recorder.note(name_, "wrong", Value::text_of("a watch ended: " + why.to_string()),
                         node_);
  }

  const Stage stage_;
  const std::string name_, node_;
  std::uint64_t told_ = 0;
  client::Watcher watcher_;
};

class Watches final : public Actor {
 public:
  explicit Watches(Stage stage) : stage_(std::move(stage)) {}

  void begin() override {
    for (std::size_t i = 0; i < stage_.cluster.size(); ++i)
      watches_.push_back(std::make_unique<Watch>(stage_, "watch-" + stage_.cluster.name(i), i));
    watches_.push_back(std::make_unique<Watch>(stage_, "watch-any", std::nullopt));
    for (auto& watch : watches_) watch->begin(1);
  }
  /// Until each has been told as much as the members have.
  void end() override {
    std::uint64_t revision = 0;
    for (const auto& status : stage_.cluster.statuses())
      if (status) revision = std::max(revision, status->header.revision.value);
    constexpr std::uint64_t kWaitMs = 15'000, kLookMs = 50;
    const std::uint64_t end_ms = stage_.cluster.now_ms() + kWaitMs * stage_.cluster.time_scale();
    const auto behind = [&](const auto& watch) { return watch->told() < revision; };
    while (std::any_of(watches_.begin(), watches_.end(), behind) &&
           stage_.cluster.now_ms() < end_ms)
      stage_.cluster.sleep_ms(kLookMs);
    watches_.clear();
  }

 private:
  const Stage stage_;
  std::vector<std::unique_ptr<Watch>> watches_;
};

}  // namespace

class LiveFeed::Impl {
 public:
  explicit Impl(Stage stage)
      : stage_(std::move(stage)),
        watcher_(stage_.cluster.loop(), options_for(stage_.cluster, std::nullopt)) {}

  void begin() {
    (void)watcher_.watch(
        from_revision(1, false),
        [this](client::WatchBatch&& batch) -> kj::Promise<void> {
          take(batch);
          return kj::READY_NOW;
        },
        [this](const base::Status& why, base::Revision) {
          stage_.recorder.note("feed", "wrong",
                               Value::text_of("the feed ended: " + why.to_string()));
        });
  }
  bool reach(std::uint64_t revision, std::uint64_t timeout_ms) {
    constexpr std::uint64_t kLookMs = 20;
    const std::uint64_t end_ms = stage_.cluster.now_ms() + timeout_ms;
    while (told_ < revision && stage_.cluster.now_ms() < end_ms) stage_.cluster.sleep_ms(kLookMs);
    return told_ >= revision;
  }
  std::uint64_t told() const { return told_; }

 private:
  void take(const client::WatchBatch& batch) {
    Value changes = Value::list(), others = Value::list();
    std::uint64_t other = 0;  // a revision that was changed by somebody else, so far
    for (const auto& event : batch.events) {
      const std::uint64_t revision = event.event.item.modify_revision.value;
      const auto change = stage_.workload.change(event.event);
      if (change) {
        changes.items.push_back(
            Value::list({of(revision), change->first, Value::of(change->second)}));
      } else if (revision != other) {
        others.items.push_back(of(revision));
        other = revision;
      }
    }
    told_ = batch.revision.value;
    if (batch.events.empty()) return;
    Value value = Value::map();
    value.set("end", of(told_)).set("changes", std::move(changes)).set("others", std::move(others));
    stage_.recorder.note("feed", "feed", std::move(value));
  }

  const Stage stage_;
  std::uint64_t told_ = 0;
  client::Watcher watcher_;
};

LiveFeed::LiveFeed(Stage stage) : impl_(std::make_unique<Impl>(std::move(stage))) {}
LiveFeed::~LiveFeed() = default;
void LiveFeed::begin() {
  impl_->begin();
}
bool LiveFeed::reach(std::uint64_t revision, std::uint64_t timeout_ms) {
  return impl_->reach(revision, timeout_ms);
}
void LiveFeed::end() {}
std::uint64_t LiveFeed::told() const {
  return impl_->told();
}

std::unique_ptr<Actor> make_watches(Stage stage) {
  return std::make_unique<Watches>(std::move(stage));
}

std::vector<std::unique_ptr<Actor>> actors_of(const std::string& workload, const Stage& stage) {
  std::vector<std::unique_ptr<Actor>> actors;
  const bool all = workload == "mixed";
  if (all || workload == "watch") actors.push_back(make_watches(stage));
  if (all || workload == "lock") actors.push_back(make_holders(stage));
  if (all || workload == "lease") actors.push_back(make_leases(stage));
  return actors;
}

}  // namespace jepsen
