#include "jepsen/cluster.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include "client/roamer.h"
#include "jepsen/caller.h"

namespace jepsen {

using base::Code;
using base::Status;
namespace playground = client::ctl::playground;

namespace {

std::string local(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

}  // namespace

Cluster::Cluster(net::Loop& loop, ClusterOptions options)
    : loop_(loop), options_(std::move(options)) {
  std::random_device device;
  token_ = base::to_hex(static_cast<std::uint64_t>(device()) << 32 | device());
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    Node node;
    node.name = "n" + std::to_string(i + 1);
    nodes_.push_back(std::move(node));
  }
  const auto ports =
      playground::free_ports(3 * size(), static_cast<std::uint64_t>(getpid()), options_.ports);
  ports_ = ports.status();
  for (std::size_t i = 0; ports.is_ok() && i < size(); ++i) {
    nodes_[i].client_port = ports.value()[3 * i];
    nodes_[i].peer_port = ports.value()[3 * i + 1];
    nodes_[i].http_port = ports.value()[3 * i + 2];
  }
}

Cluster::~Cluster() {
  for (std::size_t i = 0; i < size(); ++i) kill(i);
}

Status Cluster::start_all() {
  if (!ports_.is_ok()) return ports_;
  std::error_code error;
  std::filesystem::create_directories(options_.folder + "/data", error);
  if (!error) std::filesystem::create_directories(options_.folder + "/logs", error);
  if (error) return {Code::kIo, options_.folder + ": " + error.message()};
  for (std::size_t i = 0; i < size(); ++i) {
    const Status status = start(i);
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

std::vector<std::string> Cluster::arguments(std::size_t i) const {
  std::string members;
  for (const Node& node : nodes_)
    members += (members.empty() ? "" : ",") + node.name + "=" + local(node.peer_port) + "@" +
               local(node.client_port);
  const Node& node = nodes_[i];
  std::vector<std::string> words = {options_.server,
                                    "--name",
                                    node.name,
                                    "--data-dir",
                                    data_dir(i),
                                    "--cluster-token",
                                    token_,
                                    "--initial-cluster",
                                    members,
                                    "--listen-client",
                                    local(node.client_port),
                                    "--listen-peer",
                                    local(node.peer_port),
                                    "--listen-http",
                                    local(node.http_port),
                                    "--allow-faults",
                                    "--time-scale",
                                    std::to_string(options_.time_scale)};
  if (node.joins) words.push_back("--join");
  words.insert(words.end(), options_.flags.begin(), options_.flags.end());
  return words;
}

Status Cluster::start(std::size_t i) {
  if (runs(i)) return Status::ok();
  auto process = playground::spawn({arguments(i), log_path(i), true, false});
  if (!process.is_ok()) return process.status();
  nodes_[i].process = process.value();
  return Status::ok();
}

void Cluster::reaped(std::size_t i, int status) {
  nodes_[i].process = {};
  nodes_[i].ended = WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                      : "signal " + std::to_string(WTERMSIG(status));
}

bool Cluster::runs(std::size_t i) {
  if (!nodes_[i].process) return false;
  int status = 0;
  if (waitpid(nodes_[i].process.pid, &status, WNOHANG) == nodes_[i].process.pid) reaped(i, status);
  return static_cast<bool>(nodes_[i].process);
}

void Cluster::signal(std::size_t i, int number) {
  if (runs(i)) ::kill(nodes_[i].process.pid, number);
}

void Cluster::kill(std::size_t i) {
  if (!runs(i)) return;
  ::kill(nodes_[i].process.pid, SIGKILL);
  int status = 0;
  waitpid(nodes_[i].process.pid, &status, 0);
  reaped(i, status);
}

std::string Cluster::state(std::size_t i) {
  if (!runs(i)) return "";
  std::ifstream file("/proc/" + std::to_string(nodes_[i].process.pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const auto end = stat.rfind(')');
  return end == std::string::npos || end + 2 >= stat.size() ? "" : stat.substr(end + 2, 1);
}

std::size_t Cluster::index(const std::string& name) const {
  for (std::size_t i = 0; i < size(); ++i)
    if (nodes_[i].name == name || client_address(i) == name) return i;
  return size();
}

std::string Cluster::data_dir(std::size_t i) const {
  return options_.folder + "/data/" + nodes_[i].name;
}
std::string Cluster::log_path(std::size_t i) const {
  return options_.folder + "/logs/" + nodes_[i].name + ".log";
}
std::string Cluster::client_address(std::size_t i) const {
  return local(nodes_[i].client_port);
}
std::string Cluster::peer_address(std::size_t i) const {
  return local(nodes_[i].peer_port);
}
std::vector<std::string> Cluster::endpoints() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < size(); ++i) all.push_back(client_address(i));
  return all;
}

Cluster::Statuses Cluster::statuses(std::uint32_t timeout_ms) {
  auto all = std::make_shared<Statuses>(size());
  kj::Vector<kj::Promise<void>> questions;
  const std::uint32_t each_ms = timeout_ms * options_.time_scale;
  for (std::size_t i = 0; i < size(); ++i) {
    if (!runs(i)) continue;
    questions.add(client::status(loop_, client_address(i), each_ms)
                      .then([all, i](base::Result<client::MemberStatus>&& status) {
                        if (status.is_ok()) (*all)[i] = std::move(status).value();
                      }));
  }
  (void)loop_.wait(kj::joinPromises(questions.releaseAsArray()), each_ms + 1000);
  return *all;
}

std::optional<std::size_t> Cluster::leader_of(const Statuses& statuses) {
  std::optional<std::size_t> leader;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    if (!statuses[i] || !statuses[i]->leads()) continue;
    if (!leader || statuses[i]->header.term > statuses[*leader]->header.term) leader = i;
  }
  return leader;
}

namespace {

/// What the promise brings; kTimeout after twice the time that it should need.
template <class T>
base::Result<T> wait_for(net::Loop& loop, kj::Promise<base::Result<T>> promise,
                         std::uint64_t timeout_ms) {
  auto answer = std::make_shared<base::Result<T>>(Status(Code::kTimeout, "no answer"));
  (void)loop.wait(promise.then([answer](base::Result<T>&& result) { *answer = std::move(result); }),
                  2 * timeout_ms);
  return *answer;
}

constexpr std::uint32_t kAskMs = 1500;
constexpr std::uint64_t kBehindMost = 300;  // entries: about a second

}  // namespace

base::Result<std::vector<client::Fault>> Cluster::fault(std::size_t i, client::FaultChange change) {
  const std::uint32_t ms = kAskMs * options_.time_scale;
  return wait_for(loop_, client::fault(loop_, client_address(i), std::move(change), ms), ms);
}

base::Result<std::string> Cluster::health(std::size_t i) {
  const std::uint32_t ms = kAskMs * options_.time_scale;
  return wait_for(loop_, client::health(loop_, client_address(i), ms), ms);
}

void Cluster::sleep_ms(std::uint64_t ms) {
  (void)loop_.wait(loop_.timer().afterDelay(ms * kj::MILLISECONDS), ms + 60'000);
}

std::uint64_t Cluster::now_ms() const {
  return client::boot_clock_ms();
}

/// Two that are not whole, of three, are more than the promises cover: who does not vote yet
/// counts.
std::string Cluster::unsettled() {
  Caller caller(*this, kAskMs);
  const auto outcome = caller.wait(caller.client().members());
  if (!outcome.status.is_ok()) return "members: " + outcome.status.detail();
  std::size_t voters = 0;
  for (const client::Member& member : outcome.members) {
    if (member.outgoing) return "the membership is changing";
    if (!member.voter) return member.name + " does not vote yet";
    ++voters;
  }
  if (voters == size()) return "";
  return std::to_string(voters) + " of " + std::to_string(size()) + " are members";
}

std::string Cluster::missing(const Statuses& statuses, bool caught_up) {
  const auto leader = leader_of(statuses);
  for (std::size_t i = 0; i < size(); ++i) {
    if (!runs(i)) return name(i) + " does not run: " + how_it_ended(i);
    if (!statuses[i]) return name(i) + " does not answer";
    if (statuses[i]->quarantined) return name(i) + " is in quarantine: " + statuses[i]->reason;
  }
  if (!leader) return "nobody leads";
  for (std::size_t i = 0; i < size(); ++i) {
    const client::MemberStatus& one = *statuses[i];
    if (one.leader != statuses[*leader]->header.member)
      return name(i) + " does not follow " + name(*leader);
    if (i == *leader && !one.ready) return name(i) + " leads and is not ready: " + one.reason;
    if (one.header.applied.value + kBehindMost < statuses[*leader]->commit.value)
      return name(i) + " is " +
             std::to_string(statuses[*leader]->commit.value - one.header.applied.value) +
             " entries behind";
    if (caught_up && one.header.applied != statuses[*leader]->header.applied)
      return name(i) + " has applied " + std::to_string(one.header.applied.value) + " of " +
             std::to_string(statuses[*leader]->header.applied.value);
  }
  return "";
}

Status Cluster::wait_until_well(std::uint64_t timeout_ms, bool caught_up) {
  constexpr std::uint64_t kBetweenMs = 100;
  const std::uint64_t end_ms = now_ms() + timeout_ms * options_.time_scale;
  for (;;) {
    std::string why = missing(statuses(), caught_up);
    if (why.empty()) why = unsettled();
    if (why.empty()) return Status::ok();
    // Nobody starts one that has ended but who calls this.
    bool all_run = true;
    for (std::size_t i = 0; i < size(); ++i) all_run = runs(i) && all_run;
    if (!all_run || now_ms() >= end_ms) return Status(Code::kUnavailable, why);
    sleep_ms(kBetweenMs);
  }
}

}  // namespace jepsen
