#include "tests/cluster/nodes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>

#include "client/ctl/faults.h"
#include "client/ctl/playground/ports.h"
#include "tests/cluster/socket.h"

namespace cluster {
namespace {

namespace playground = client::ctl::playground;

constexpr std::uint32_t kAskMs = 1000;

std::uint64_t random_number() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

std::string local(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

}  // namespace

Nodes::Nodes(std::size_t count, std::vector<std::string> flags,
             const std::function<void(Nodes&)>& prepare)
    : token_(base::to_hex(random_number())), flags_(std::move(flags)) {
  auto ports = playground::free_ports(3 * count, random_number());
  if (!ports.is_ok()) {
    ADD_FAILURE() << ports.status().to_string();
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t* mine = &ports.value()[3 * i];
    nodes_.push_back({"n" + std::to_string(i + 1), mine[0], mine[1], mine[2], {}, -1, false});
  }
  if (prepare) prepare(*this);
  for (std::size_t i = 0; i < count; ++i) start(i);
}

std::size_t Nodes::join() {
  const std::size_t i = nodes_.size();
  auto ports = playground::free_ports(3, random_number());
  if (!ports.is_ok()) {
    ADD_FAILURE() << ports.status().to_string();
    return i;
  }
  const auto& mine = ports.value();
  nodes_.push_back({"n" + std::to_string(i + 1), mine[0], mine[1], mine[2], {}, -1, true});
  start(i);
  return i;
}

std::string Nodes::peer_address(std::size_t i) const {
  return local(nodes_[i].peer_port);
}

Nodes::~Nodes() {
  if (testing::Test::HasFailure()) std::fprintf(stderr, "%s\n", last_words(40).c_str());
  for (std::size_t i = 0; i < size(); ++i) kill(i);
}

std::string Nodes::initial_cluster() const {
  std::string members;
  for (const auto& node : nodes_)
    members += (members.empty() ? "" : ",") + node.name + "=" + peer_host_ + ":" +
               std::to_string(node.peer_port) + "@" + local(node.client_port);
  return members;
}

std::vector<std::string> Nodes::arguments(std::size_t i) const {
  const Node& node = nodes_[i];
  std::vector<std::string> words = {"--name",
                                    node.name,
                                    "--data-dir",
                                    data_dir(i),
                                    "--cluster-token",
                                    token_,
                                    "--initial-cluster",
                                    initial_cluster(),
                                    "--listen-client",
                                    local(node.client_port),
                                    "--listen-peer",
                                    local(node.peer_port),
                                    "--listen-http",
                                    local(node.http_port),
                                    "--allow-faults",
                                    "--time-scale",
                                    std::to_string(time_scale())};
  if (node.joins) words.push_back("--join");
  words.insert(words.end(), flags_.begin(), flags_.end());
  return words;
}

void Nodes::start(std::size_t i) {
  ASSERT_FALSE(nodes_[i].process) << nodes_[i].name << " runs already";
  // The trampoline of the playground: the node dies with this process, whatever becomes of it.
  std::vector<std::string> words = {holdfast_path(), playground::kChildVerb,
                                    std::to_string(getpid()), holdfastd_path()};
  const auto more = arguments(i);
  words.insert(words.end(), more.begin(), more.end());
  auto process = playground::spawn({words, log_path(i), false, false});
  ASSERT_TRUE(process.is_ok()) << process.status().to_string();
  nodes_[i].process = process.value();
  nodes_[i].exit_code = -1;
}

void Nodes::ended(std::size_t i, int status) {
  nodes_[i].process = {};
  nodes_[i].exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Nodes::runs(std::size_t i) {
  if (!nodes_[i].process) return false;
  int status = 0;
  if (waitpid(nodes_[i].process.pid, &status, WNOHANG) == nodes_[i].process.pid) ended(i, status);
  return static_cast<bool>(nodes_[i].process);
}

void Nodes::signal(std::size_t i, int number) {
  if (runs(i)) ::kill(nodes_[i].process.pid, number);
}

void Nodes::kill(std::size_t i) {
  if (!runs(i)) return;
  ::kill(nodes_[i].process.pid, SIGKILL);
  int status = 0;
  waitpid(nodes_[i].process.pid, &status, 0);
  ended(i, status);
}

int Nodes::terminate(std::size_t i, std::uint64_t timeout_ms) {
  signal(i, SIGTERM);
  if (wait_until(timeout_ms, [&] { return !runs(i); })) return nodes_[i].exit_code;
  kill(i);
  return -1;
}

bool Nodes::wait_ready(std::uint64_t timeout_ms) {
  net::Loop loop;
  std::vector<std::string> running;
  for (std::size_t i = 0; i < size(); ++i)
    if (runs(i)) running.push_back(endpoint(i));
  return wait_until(timeout_ms * time_scale(), [&] {
    const auto cluster = client::ctl::combine(client::ctl::ask_members(loop, running, kAskMs));
    base::MemberId leader;
    for (const auto& row : cluster.members)
      if (row.leader && row.status.ready) leader = row.status.header.member;
    if (!leader) return false;
    return std::all_of(running.begin(), running.end(), [&](const std::string& wanted) {
      return std::any_of(cluster.members.begin(), cluster.members.end(), [&](const auto& row) {
        return row.endpoint == wanted && row.reachable && row.status.leader == leader;
      });
    });
  });
}

std::optional<client::MemberStatus> Nodes::status(std::size_t i) {
  net::Loop loop;
  auto answer = std::make_shared<std::optional<client::MemberStatus>>();
  (void)loop.wait(client::status(loop, endpoint(i), kAskMs)
                      .then([answer](base::Result<client::MemberStatus>&& status) {
                        if (status.is_ok()) *answer = std::move(status).value();
                      }),
                  2 * kAskMs);
  return *answer;
}

std::optional<std::size_t> Nodes::leader() {
  net::Loop loop;
  const auto cluster = client::ctl::combine(client::ctl::ask_members(loop, endpoints(), kAskMs));
  for (std::size_t i = 0; i < size(); ++i)
    if (nodes_[i].name == cluster.leader) return i;
  return std::nullopt;
}

bool Nodes::hang_disk(std::size_t i, bool on) {
  using Kind = client::FaultChange::Kind;
  const client::FaultChange change{on ? Kind::kSet : Kind::kClear, "hang-log-sync", {}, 0};
  return client::ctl::change_faults(endpoint(i), change, kAskMs).is_ok();
}

std::string Nodes::endpoint(std::size_t i) const {
  return local(nodes_[i].client_port);
}
std::vector<std::string> Nodes::endpoints() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < size(); ++i) all.push_back(endpoint(i));
  return all;
}
std::string Nodes::environment() const {
  std::string all;
  for (const auto& one : endpoints()) all += (all.empty() ? "" : ",") + one;
  return "HOLDFAST_ENDPOINTS=" + all;
}

Ended Nodes::holdfast(std::vector<std::string> arguments, std::uint64_t timeout_ms,
                      const std::string& input) {
  arguments.insert(arguments.begin(), holdfast_path());
  return run(arguments, {environment()}, timeout_ms * time_scale(), input);
}

std::string Nodes::data_dir(std::size_t i) const {
  return scratch_.path() + "/" + nodes_[i].name;
}
std::string Nodes::log_path(std::size_t i) const {
  return scratch_.path() + "/" + nodes_[i].name + ".log";
}
std::string Nodes::log(std::size_t i) const {
  return read_file(log_path(i));
}

std::string Nodes::last_words(std::size_t lines) const {
  std::string text;
  for (std::size_t i = 0; i < size(); ++i) {
    const std::string all = log(i);
    std::size_t from = all.size();
    for (std::size_t n = 0; n <= lines && from != 0 && from != std::string::npos; ++n)
      from = all.rfind('\n', from - 1);
    text += "--- " + nodes_[i].name + ", the end of its log:\n" +
            all.substr(from == std::string::npos ? 0 : from);
  }
  return text;
}

namespace {

/// The data of a body in chunks (RFC 9112 section 7.1).
std::string joined_chunks(const std::string& body) {
  std::string text;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t line = body.find("\r\n", at);
    const std::size_t size = std::strtoull(body.c_str() + at, nullptr, 16);
    if (line == std::string::npos || size == 0) break;
    text += body.substr(line + 2, size);
    at = line + 2 + size + 2;
  }
  return text;
}

}  // namespace

Page http_get(std::uint16_t port, const std::string& path) {
  Socket socket(port);
  socket.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string answer = socket.receive_until_closed(5000);
  Page page;
  if (!answer.starts_with("HTTP/1.1 ")) return page;
  page.code = std::atoi(answer.c_str() + 9);
  const auto body = answer.find("\r\n\r\n");
  if (body == std::string::npos) return page;
  page.body = answer.substr(body + 4);
  const bool chunked = answer.find("Transfer-Encoding: chunked") < body;
  if (chunked) page.body = joined_chunks(page.body);
  return page;
}

}  // namespace cluster
