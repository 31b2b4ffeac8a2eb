// Watches on real processes: nothing is missed, told twice or torn apart while members die; a
// thousand of them keep up, whoever stands still holds nobody up and costs little.
#include "client/watch.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <set>

#include "client/client.h"
#include "net/connection.h"
#include "net/loop.h"
#include "schema/client.capnp.h"
#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

using base::Revision;

std::uint64_t steady_us() {
  using std::chrono::duration_cast;
  return static_cast<std::uint64_t>(
      duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

client::Options options_for(const Nodes& nodes, std::size_t first) {
  client::Options options;
  options.endpoints = nodes.endpoints();
  std::rotate(options.endpoints.begin(),
              options.endpoints.begin() + static_cast<std::ptrdiff_t>(first % nodes.size()),
              options.endpoints.end());
  options.timeout_ms = 10'000;
  return options;
}

/// Writes at a rate, whatever is answered.
class Writer {
 public:
  using Make = std::function<kv::Transaction(std::uint64_t number)>;
  Writer(net::Loop& loop, const client::Options& options, std::uint64_t a_second, Make make)
      : client_(client::Client::make(loop, options).value()),
        a_second_(a_second),
        make_(std::move(make)),
        began_us_(steady_us()) {
    loop.every(10, [this] { write(); });
  }
  void stop() { stopped_ = true; }
  std::uint64_t open() const { return sent_ - ended_; }
  std::uint64_t acknowledged() const { return acknowledged_.size(); }
  std::vector<std::uint64_t> latencies_us() const { return latencies_us_; }
  /// By revision.
  const std::map<Revision, std::uint64_t>& revisions() const { return acknowledged_; }

 private:
  void write() {
    if (stopped_) return;
    const std::uint64_t due = (steady_us() - began_us_) * a_second_ / 1'000'000;
    for (; sent_ < due && open() < 2000; ++sent_) {
      client_->write(make_(sent_))
          .then([this, number = sent_, began_us = steady_us()](client::Outcome&& outcome) {
            ++ended_;
            latencies_us_.push_back(steady_us() - began_us);
            if (outcome.status.is_ok()) acknowledged_[outcome.result.revision] = number;
          })
          .detach([](kj::Exception&&) {});
    }
  }

  std::unique_ptr<client::Client> client_;
  const std::uint64_t a_second_;
  const Make make_;
  const std::uint64_t began_us_;
  std::uint64_t sent_ = 0;
  std::uint64_t ended_ = 0;
  bool stopped_ = false;
  std::map<Revision, std::uint64_t> acknowledged_;
  std::vector<std::uint64_t> latencies_us_;
};

/// Checks what a watch over everything is told, as it comes.
class Witness {
 public:
  client::Watcher::OnBatch on_batch() {
    return [this](client::WatchBatch&& batch) -> kj::Promise<void> {
      take(batch);
      return kj::READY_NOW;
    };
  }
  Revision told() const { return told_; }
  std::uint64_t events() const { return events_; }
  const std::map<Revision, std::size_t>& revisions() const { return revisions_; }

 private:
  void take(const client::WatchBatch& batch) {
    EXPECT_EQ(batch.previous, told_) << "a gap";
    std::set<Revision> of_this_batch;
    Revision last;
    for (const auto& each : batch.events) {
      const kv::KeyValue& item = each.event.item;
      const Revision revision = item.modify_revision;
      EXPECT_GT(revision, told_) << "told before, or torn apart";
      EXPECT_LE(revision, batch.revision);
      EXPECT_GE(revision, last) << "out of order";
      last = revision;
      EXPECT_EQ(each.event.sub_index, revisions_[revision]++) << "a part of it is missing";
      const auto before = latest_.find(item.key);
      EXPECT_EQ(each.previous.has_value(), before != latest_.end()) << item.key;
      if (each.previous && before != latest_.end()) {
        EXPECT_EQ(each.previous->value, before->second);
      }
      if (each.event.deleted) {
        latest_.erase(item.key);
      } else {
        latest_[item.key] = item.value;
      }
      ++events_;
    }
    told_ = batch.revision;
  }

  Revision told_;
  std::uint64_t events_ = 0;
  std::map<Revision, std::size_t> revisions_;
  std::map<std::string, std::string> latest_;
};

/// Two keys in each; now and then one is deleted.
kv::Transaction pair_of(std::uint64_t number) {
  kv::Transaction transaction;
  const std::string key = "w/" + std::to_string(number % 40);
  if (number % 7 == 6) {
    transaction.then.push_back(kv::DeleteOperation{{key + "a", ""}});
    transaction.then.push_back(kv::PutOperation{key + "b", std::to_string(number), false});
  } else {
    transaction.then.push_back(kv::PutOperation{key + "a", std::to_string(number), false});
    transaction.then.push_back(kv::PutOperation{key + "b", std::to_string(number), false});
  }
  return transaction;
}

TEST(Watch, MissesNothingWhileMembersDieAndComeBack) {
  Nodes nodes(3);
  ASSERT_TRUE(nodes.wait_ready());
  net::Loop loop;
  Writer writer(loop, options_for(nodes, 0), 300, pair_of);
  std::vector<std::unique_ptr<Witness>> witnesses;
  std::vector<std::unique_ptr<client::Watcher>> watchers;
  for (std::size_t i = 0; i < 6; ++i) {
    witnesses.push_back(std::make_unique<Witness>());
    watchers.push_back(std::make_unique<client::Watcher>(loop, options_for(nodes, i)));
    client::WatchOptions options;
    options.range = {"w/", "w0"};
    options.from = Revision(1);
    options.previous = true;
    watchers.back()->watch(options, witnesses.back()->on_batch(),
                           [](const base::Status& why, Revision) {
                             ADD_FAILURE() << "a watch ended: " << why.to_string();
                           });
  }
  const auto run_for = [&](std::uint64_t ms) {
    (void)loop.wait(loop.timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
  };
  run_for(1000);
  for (std::size_t round = 0; round < 6; ++round) {
    const std::size_t victim = round % nodes.size();
    if (round % 2 == 0) {
      nodes.kill(victim);
      run_for(1200);
      nodes.start(victim);
    } else {
      nodes.signal(victim, SIGSTOP);
      run_for(1500);
      nodes.signal(victim, SIGCONT);
    }
    run_for(1200);
  }
  writer.stop();
  for (int i = 0; i < 300 && writer.open() > 0; ++i) run_for(50);
  ASSERT_EQ(writer.open(), 0u);
  ASSERT_GT(writer.acknowledged(), 500u);
  const Revision last = writer.revisions().rbegin()->first;
  for (int i = 0; i < 300; ++i) {
    if (std::all_of(witnesses.begin(), witnesses.end(),
                    [&](const auto& each) { return each->told() >= last; }))
      break;
    run_for(50);
  }
  std::uint64_t resumed = 0;
  for (std::size_t i = 0; i < witnesses.size(); ++i) {
    ASSERT_GE(witnesses[i]->told(), last) << "watcher " << i;
    EXPECT_EQ(watchers[i]->gaps(), 0u);
    resumed += watchers[i]->resumed();
    for (const auto& [revision, number] : writer.revisions()) {
      const auto at = witnesses[i]->revisions().find(revision);
      ASSERT_TRUE(at != witnesses[i]->revisions().end())
          << "watcher " << i << " missed " << revision.value;
    }
    // Nobody else writes, so every revision there is touches the range.
    EXPECT_EQ(witnesses[i]->revisions().size(), witnesses[i]->revisions().rbegin()->first.value);
    EXPECT_EQ(witnesses[i]->revisions(), witnesses[0]->revisions());
  }
  EXPECT_GT(resumed, 6u) << "nobody was torn away from a member";
}

TEST(Watch, WhoCannotBeCalledAsks) {
  Nodes nodes(3);
  ASSERT_TRUE(nodes.wait_ready());
  for (const char* value : {"1", "2"}) ASSERT_EQ(nodes.holdfast({"put", "k", value}).exit_code, 0);
  net::Loop loop;
  std::unique_ptr<net::RpcClient> rpc;
  (void)loop.wait(net::dial(loop, {"127.0.0.1", nodes.client_port(0)}, 5000).then([&](auto&& s) {
    rpc = net::RpcClient::make(loop, std::move(s), {});
  }),
                  10'000);
  ASSERT_NE(rpc, nullptr);
  auto member = rpc->bootstrap().castAs<schema::Holdfast>();
  std::uint64_t told = 0, events = 0;
  // The member may be behind, so the first answers may hold one each.
  for (int i = 0; i < 3; ++i) {
    auto request = member.eventsRequest();
    auto watch = request.initWatch();
    watch.initRange().setBegin(kj::StringPtr("k").asBytes());
    watch.setFrom(told + 1);
    request.setWaitMs(500);
    ASSERT_TRUE(loop.wait(request.send().then([&](auto&& reply) {
      const auto batch = reply.getBatch();
      EXPECT_EQ(batch.getCode(), 0u);
      EXPECT_EQ(batch.getPrevious(), told);
      told = batch.getRevision();
      for (auto each : batch.getEvents())
        EXPECT_EQ(each.getEvent().getItem().getVersion(), ++events);
    }),
                          10'000));
  }
  EXPECT_EQ(told, 2u);
  EXPECT_EQ(events, 2u) << "each once; and the last answer has none, after its time";
}

std::uint64_t resident_kb(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  }
  return 0;
}

/// 1,000 watches on 100 prefixes over 20 connections, the first ten of which stand still.
class Thousand {
 public:
  static constexpr std::size_t kPrefixes = 100, kConnections = 20, kWatches = 1000, kStill = 10;

  explicit Thousand(const Nodes& nodes) : nodes_(nodes), events_(kWatches), written_(kPrefixes) {
    for (std::size_t i = 0; i < kConnections; ++i)
      watchers_.push_back(std::make_unique<client::Watcher>(loop_, options_for(nodes, i)));
    for (std::size_t i = 0; i < kWatches; ++i) watch(i);
    run_for(1500);
  }
  /// Returns the writer, which has ended.
  std::unique_ptr<Writer> write(std::uint64_t a_second, std::uint64_t seconds) {
    auto writer = std::make_unique<Writer>(loop_, options_for(nodes_, 0), a_second,
                                           [this](std::uint64_t number) { return put(number); });
    run_for(seconds * 1000);
    writer->stop();
    for (int i = 0; i < 300 && writer->open() > 0; ++i) run_for(50);
    return writer;
  }
  /// Whether everybody who does not stand still is told of everything, in time.
  bool all_told() {
    const auto told = [&] {
      for (std::size_t i = kStill; i < kWatches; ++i) {
        if (events_[i] < written_[i % kPrefixes]) return false;
      }
      return true;
    };
    for (int i = 0; i < 200 && !told(); ++i) run_for(50);
    return told();
  }
  void expect_exact() const {
    for (std::size_t i = kStill; i < kWatches; ++i)
      ASSERT_EQ(events_[i], written_[i % kPrefixes]) << "watch " << i;
  }
  std::uint64_t resumed() const {
    std::uint64_t sum = 0;
    for (const auto& watcher : watchers_) sum += watcher->resumed();
    return sum;
  }
  std::vector<std::uint64_t> delays_us;
  std::uint64_t batches = 0;

 private:
  void run_for(std::uint64_t ms) {
    (void)loop_.wait(loop_.timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
  }
  void watch(std::size_t i) {
    const std::string prefix = "p" + std::to_string(100 + i % kPrefixes);
    client::WatchOptions options;
    options.range = {prefix + "/", prefix + "0"};
    options.from = Revision(1);
    watchers_[i / (kWatches / kConnections)]->watch(
        options,
        [this, i](client::WatchBatch&& batch) -> kj::Promise<void> {
          if (i < kStill) return kj::NEVER_DONE;
          ++batches;
          events_[i] += batch.events.size();
          const std::uint64_t now_us = steady_us();
          for (const auto& each : batch.events)
            delays_us.push_back(now_us - std::stoull(each.event.item.value));
          return kj::READY_NOW;
        },
        [](const base::Status& why, Revision) { ADD_FAILURE() << why.to_string(); });
  }
  kv::Transaction put(std::uint64_t number) {
    const std::size_t prefix = number % kPrefixes;
    ++written_[prefix];
    kv::Transaction transaction;
    transaction.then.push_back(kv::PutOperation{
        "p" + std::to_string(100 + prefix) + "/" + std::to_string(number / kPrefixes % 50),
        std::to_string(steady_us()), false});
    return transaction;
  }

  const Nodes& nodes_;
  net::Loop loop_;
  std::vector<std::uint64_t> events_;   // by watch
  std::vector<std::uint64_t> written_;  // by prefix
  std::vector<std::unique_ptr<client::Watcher>> watchers_;
};

double percentile_ms(std::vector<std::uint64_t> times_us, double share) {
  std::sort(times_us.begin(), times_us.end());
  const auto at = static_cast<std::size_t>(static_cast<double>(times_us.size() - 1) * share);
  return static_cast<double>(times_us[at]) / 1000;
}

TEST(Watch, AThousandKeepUpThoughSomeStandStill) {
  Nodes nodes(3);
  ASSERT_TRUE(nodes.wait_ready());
  Thousand thousand(nodes);
  const std::uint64_t before_kb = resident_kb(nodes.pid(0));
  const auto writer = thousand.write(5000, 8);
  ASSERT_EQ(writer->open(), 0u);
  EXPECT_TRUE(thousand.all_told());
  thousand.expect_exact();
  const std::uint64_t after_kb = resident_kb(nodes.pid(0));
  std::fprintf(stderr,
               "%llu writes, p50 %.1f ms, p99 %.1f ms; %zu events in %llu batches, from before the "
               "write to the watcher: p50 %.1f ms, p99 %.1f ms; resident %llu MB, before %llu MB\n",
               static_cast<unsigned long long>(writer->acknowledged()),
               percentile_ms(writer->latencies_us(), 0.5),
               percentile_ms(writer->latencies_us(), 0.99), thousand.delays_us.size(),
               static_cast<unsigned long long>(thousand.batches),
               percentile_ms(thousand.delays_us, 0.5), percentile_ms(thousand.delays_us, 0.99),
               static_cast<unsigned long long>(after_kb / 1024),
               static_cast<unsigned long long>(before_kb / 1024));
  EXPECT_LT(after_kb, before_kb + 200 * 1024);
  EXPECT_LE(thousand.resumed(), 3u) << "members fell silent";
}

}  // namespace
}  // namespace cluster
