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
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      for (std::uint32_t n = 0; n < writers_.options_.in_flight; ++n) tasks_.add(chain(i));
      tasks_.add(overwrite(i));
    }
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
          then(write.fate, [this, i] { return chain(i); });
        });
  }

  /// One that was refused at once is not repeated at once.
  template <class Next>
  void then(Fate fate, Next next) {
    constexpr auto kPause = 20 * kj::MILLISECONDS;
    // Moved: KJ would keep a reference to an lvalue, and this one is gone when the timer fires.
    tasks_.add(fate == Fate::kRefused ? loop_.timer().afterDelay(kPause).then(kj::mv(next))
                                      : next());
  }

  /// One write of the client's register after the other, each of a value of its own.
  kj::Promise<void> overwrite(std::size_t i) {
    if (writers_.stopping_.load()) return kj::READY_NOW;
    const std::string key = "r" + writers_.options_.prefix + std::to_string(i);
    auto& writes = writers_.registers_[key];
    const std::string value = std::to_string(writes.size());
    writes.push_back({Fate::kUnknown, value, 0, 0});
    auto call = i % 2 == 0 ? clients_[i]->put(key, value)
                           : clients_[i]->cas(key, base::Revision{last_revision(writes)}, value);
    return call.then([this, i, &writes](client::Outcome&& outcome) {
      const bool failed = outcome.status.is_ok() && !outcome.result.succeeded;
      if (failed) {
        writes.back().fate = Fate::kRefused;
        tasks_.add(read_again(i));
        return;
      }
      record(writes.back(), outcome);
      // What an unknown one did is asked; the comparison at the end judges it all the same.
      if (writes.back().fate == Fate::kUnknown && i % 2 == 1)
        tasks_.add(read_again(i));
      else
        then(writes.back().fate, [this, i] { return overwrite(i); });
    });
  }

  static std::uint64_t last_revision(const std::vector<Write>& writes) {
    for (auto write = writes.rbegin(); write != writes.rend(); ++write)
      if (write->revision != 0) return write->revision;
    return 0;
  }

  /// The next compare is with what is there now, written by the unknown write that has this value.
  kj::Promise<void> read_again(std::size_t i) {
    if (writers_.stopping_.load()) return kj::READY_NOW;
    const std::string key = "r" + writers_.options_.prefix + std::to_string(i);
    return clients_[i]->get(key).then([this, i, key](client::Outcome&& outcome) {
      if (!outcome.status.is_ok()) {
        then(Fate::kRefused, [this, i] { return read_again(i); });
        return;
      }
      auto& writes = writers_.registers_[key];
      const auto& items = std::get<kv::RangeResult>(outcome.result.results.at(0)).items;
      for (auto& write : writes)
        if (!items.empty() && write.value == items[0].value)
          write.revision = items[0].modify_revision.value;
      then(Fate::kRefused, [this, i] { return overwrite(i); });
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
  // Nothing at all, from some time in it to its end.
  std::uint64_t last_ms = since_ms;
  for (const std::uint64_t at_ms : acknowledged_at_ms_) {
    if (at_ms < until_ms) last_ms = std::max(last_ms, at_ms);
  }
  if (until_ms != ~0ULL) longest = std::max(longest, until_ms - last_ms);
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
    const bool answered = wait_until(30000 * time_scale(), [&] {
      outcome.status = base::Status(base::Code::kTimeout, "no outcome");
      (void)loop.wait(client.value()->read(transaction).then([&](client::Outcome&& o) {
        outcome = std::move(o);
      }),
                      60000);
      // A leader may be lost once more while nobody kills anything: the machine may be busy.
      return outcome.status.is_ok() || !outcome.status.retryable();
    });
    if (!answered || !outcome.status.is_ok()) {
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

std::string wrong_with_register(const std::vector<Write>& writes, const kv::KeyValue* item) {
  std::uint64_t acknowledged = 0, unknown = 0;
  std::size_t last = writes.size();  // acknowledged; none yet
  for (std::size_t n = 0; n < writes.size(); ++n) {
    if (writes[n].fate == Fate::kAcknowledged) last = n;
    acknowledged += writes[n].fate == Fate::kAcknowledged ? 1 : 0;
    unknown += writes[n].fate == Fate::kUnknown ? 1 : 0;
  }
  if (item == nullptr) return acknowledged == 0 ? "" : "was acknowledged and is not there";
  if (item->version < acknowledged || item->version > acknowledged + unknown)
    return "was written " + std::to_string(item->version) + " times, not " +
           std::to_string(acknowledged) + " and at most " + std::to_string(unknown) + " more";
  for (std::size_t n = last == writes.size() ? 0 : last; n < writes.size(); ++n)
    if (writes[n].value == item->value)
      return writes[n].fate == Fate::kRefused ? "holds " + item->value + ", which was refused" : "";
  return "holds " + item->value + ", which is older than what was acknowledged";
}

}  // namespace

std::vector<std::string> compare_registers(const Registers& registers, const std::string& prefix,
                                           const std::vector<std::string>& endpoints) {
  std::map<std::string, kv::KeyValue> found;
  std::string why;
  if (!read_all("r" + prefix, endpoints, &found, &why))
    return {"the cluster cannot be read: " + why};
  std::vector<std::string> wrong;
  for (const auto& [key, writes] : registers) {
    const auto item = found.find(key);
    const std::string what =
        wrong_with_register(writes, item == found.end() ? nullptr : &item->second);
    if (!what.empty()) wrong.push_back(key + " " + what);
  }
  return wrong;
}

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
