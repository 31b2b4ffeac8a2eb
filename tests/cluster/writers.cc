#include "tests/cluster/writers.h"

#include <algorithm>

#include "tests/cluster/command.h"

namespace cluster {
namespace {

client::Options client_options(const std::vector<std::string>& endpoints,
                               std::uint32_t timeout_ms) {
  client::Options options;
  options.endpoints = endpoints;
  options.timeout_ms = timeout_ms * time_scale();
  options.silence_ms *= time_scale();
  options.leaderless_ms *= time_scale();
  return options;
}

Fate fate_of(const base::Status& status) {
  if (status.is_ok()) return Fate::kAcknowledged;
  return status.applied() == base::Applied::kNo ? Fate::kRefused : Fate::kUnknown;
}

}  // namespace

/// Chains of calls on one loop: each begins its next write when its last has ended.
class Writers::Run final : private kj::TaskSet::ErrorHandler {
 public:
  Run(Writers& writers, net::Loop& loop) : writers_(writers), loop_(loop), tasks_(*this) {
    for (std::uint32_t i = 0; i < writers.options_.clients; ++i) {
      auto client = client::Client::make(
          loop, client_options(writers.options_.endpoints, writers.options_.timeout_ms));
      CHECK(client.is_ok(), client.status().to_string());
      clients_.push_back(std::move(client).value());
    }
  }

  void run() {
    for (std::size_t i = 0; i < clients_.size(); ++i)
      for (std::uint32_t n = 0; n < writers_.options_.in_flight; ++n) tasks_.add(chain(i));
    constexpr std::uint64_t kForEver = 3'600'000;
    (void)loop_.wait(tasks_.onEmpty(), kForEver);
  }

 private:
  kj::Promise<void> chain(std::size_t i) {
    if (writers_.stopping_.load()) return kj::READY_NOW;
    std::string key = writers_.options_.prefix + std::to_string(i) + "/" + std::to_string(next_++);
    Write& write = writers_.history_[key];
    write.value = key + std::string(writers_.options_.value_bytes, 'v');
    return clients_[i]
        ->put(std::move(key), write.value)
        .then([this, i, &write](client::Outcome&& outcome) {
          record(write, outcome);
          const bool refused = write.fate == Fate::kRefused;
          // One that was refused at once is not repeated at once.
          constexpr auto kPause = 20 * kj::MILLISECONDS;
          tasks_.add(refused ? loop_.timer().afterDelay(kPause).then([this, i] { return chain(i); })
                             : chain(i));
        });
  }

  void record(Write& write, const client::Outcome& outcome) {
    write.fate = fate_of(outcome.status);
    write.revision = outcome.result.revision.value;
    write.ended_ms = now_ms();
    if (write.fate == Fate::kAcknowledged) {
      ++writers_.acknowledged_;
      writers_.acknowledged_at_ms_.push_back(write.ended_ms);
      writers_.last_acknowledged_ms_ = write.ended_ms;
    } else {
      ++(write.fate == Fate::kRefused ? writers_.refused_ : writers_.unknown_);
    }
  }

  void taskFailed(kj::Exception&& exception) override {
    CHECK(false, exception.getDescription().cStr());
  }

  Writers& writers_;
  net::Loop& loop_;
  std::vector<std::unique_ptr<client::Client>> clients_;
  std::uint64_t next_ = 0;
  kj::TaskSet tasks_;
};

Writers::Writers(WritersOptions options) : options_(std::move(options)) {
  thread_ = std::thread([this] {
    net::Loop loop;
    Run(*this, loop).run();
  });
}

void Writers::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::uint64_t Writers::longest_gap_ms(std::uint64_t since_ms, std::uint64_t until_ms) const {
  std::uint64_t longest = 0;
  for (std::size_t i = 1; i < acknowledged_at_ms_.size(); ++i) {
    const std::uint64_t later = acknowledged_at_ms_[i];
    if (later >= since_ms && later < until_ms)
      longest = std::max(longest, later - acknowledged_at_ms_[i - 1]);
  }
  return longest;
}

namespace {

/// Every key under the prefix, page by page. False if the cluster does not answer.
bool read_all(const std::string& prefix, const std::vector<std::string>& endpoints,
              std::map<std::string, kv::KeyValue>* found, std::string* why) {
  net::Loop loop;
  auto client = client::Client::make(loop, client_options(endpoints, 20000));
  CHECK(client.is_ok(), client.status().to_string());
  std::string end = prefix;
  ++end.back();
  for (std::string from = prefix;;) {
    kv::Transaction transaction;
    transaction.then.push_back(kv::RangeOperation{{from, end}, 5000, false, false});
    client::Outcome outcome;
    outcome.status = base::Status(base::Code::kTimeout, "no outcome");
    (void)loop.wait(client.value()->read(transaction).then([&](client::Outcome&& o) {
      outcome = std::move(o);
    }),
                    60000);
    if (!outcome.status.is_ok()) {
      *why = outcome.status.to_string();
      return false;
    }
    const auto& range = std::get<kv::RangeResult>(outcome.result.results.at(0));
    for (const auto& item : range.items) found->emplace(item.key, item);
    if (!range.more || range.items.empty()) return true;
    from = range.items.back().key + '\0';
  }
}

std::string wrong_with(const Write& write, const kv::KeyValue* item) {
  if (item == nullptr)
    return write.fate == Fate::kAcknowledged ? "was acknowledged and is not there" : "";
  if (write.fate == Fate::kRefused) return "was surely refused and is there";
  if (item->version != 1) return "was written " + std::to_string(item->version) + " times";
  if (item->value != write.value) return "has another value than was written";
  if (write.fate == Fate::kAcknowledged && item->modify_revision.value != write.revision)
    return "was acknowledged at revision " + std::to_string(write.revision) + " and is there at " +
           std::to_string(item->modify_revision.value);
  return "";
}

}  // namespace

std::vector<std::string> compare_with_cluster(const History& history, const std::string& prefix,
                                              const std::vector<std::string>& endpoints) {
  std::map<std::string, kv::KeyValue> found;
  std::string why;
  if (!read_all(prefix, endpoints, &found, &why)) return {"the cluster cannot be read: " + why};
  std::vector<std::string> wrong;
  constexpr std::size_t kMost = 20;
  for (const auto& [key, write] : history) {
    const auto item = found.find(key);
    const std::string what = wrong_with(write, item == found.end() ? nullptr : &item->second);
    if (!what.empty() && wrong.size() < kMost) wrong.push_back(key + " " + what);
  }
  for (const auto& [key, item] : found)
    if (!history.contains(key) && wrong.size() < kMost)
      wrong.push_back(key + " is there, though nobody wrote it");
  return wrong;
}

}  // namespace cluster
