#include "tests/server/running_node.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "server/clock.h"

namespace server::testing {
namespace {

constexpr std::uint64_t kWaitMs = 15'000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

Answer to_answer(schema::Outcome::Reader outcome) {
  Answer answer;
  answer.code = static_cast<base::Code>(outcome.getCode());
  answer.detail = outcome.getDetail();
  answer.session = outcome.getSession();
  answer.leader = outcome.getLeader();
  answer.applied = outcome.getHeader().getApplied();
  answer.repeated = outcome.getRepeated();
  answer.revision = outcome.getResult().getRevision();
  const auto results = outcome.getResult().getResults();
  if (results.size() > 0 && results[0].isRange()) {
    for (const auto item : results[0].getRange().getItems()) {
      const auto value = item.getValue().asChars();
      answer.values.emplace_back(value.begin(), value.size());
    }
  }
  return answer;
}

kj::ArrayPtr<const kj::byte> bytes(const std::string& text) {
  return kj::StringPtr(text.c_str(), text.size()).asBytes();
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

Config loopback_config(std::size_t self, const std::vector<std::uint16_t>& peer_ports,
                       const std::string& data_dir) {
  Config config;
  std::string members;
  for (std::size_t i = 0; i < peer_ports.size(); ++i) {
    members += (i == 0 ? "n" : ",n") + std::to_string(i + 1) +
               "=127.0.0.1:" + std::to_string(peer_ports[i]);
  }
  config.name = "n" + std::to_string(self + 1);
  config.data_dir = data_dir;
  config.cluster = cluster_id_of("test");
  config.self = member_id_of("test", config.name);
  config.members = parse_members(members, "test").value();
  config.listen_client = {"127.0.0.1", 0};
  config.listen_peer = {"127.0.0.1", peer_ports[self]};
  config.listen_http = {"127.0.0.1", 0};
  config.allow_faults = true;
  config.log_level = LogLevel::kError;
  return config;
}

RunningNode::RunningNode(Config config)
    : config_(std::move(config)), lines_({.node = config_.name, .level = config_.log_level}) {
  auto opened = Node::open(config_, lines_, faults_, [](const std::string& text) {
    ADD_FAILURE() << "the watchdog ended the node: " << text;
  });
  if (!opened) {
    ADD_FAILURE() << opened.status().to_string();
    std::abort();
  }
  node_ = std::move(opened).value();
  for (auto& role : node_->roles()) threads_.emplace_back(std::move(role.run));
  const auto status = node_->wait_until_listening();
  EXPECT_TRUE(status.is_ok()) << status.to_string();
}

void RunningNode::stop() {
  if (node_ == nullptr) return;
  node_->stop();
  EXPECT_TRUE(node_->wait_until_stopped(10'000));
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  node_.reset();
}

Caller::Caller(net::Loop& loop, std::uint16_t port) : loop_(loop) {
  EXPECT_TRUE(loop_.wait(
      net::dial(loop_, {"127.0.0.1", port}, 5000).then([this](std::shared_ptr<net::Socket> socket) {
        client_ = net::RpcClient::make(loop_, std::move(socket), {});
      }),
      kWaitMs));
}

std::vector<Answer> Caller::submit(const std::vector<Fill>& calls, std::uint32_t deadline_ms) {
  std::vector<Answer> answers;
  auto request = client_->bootstrap().castAs<schema::Holdfast>().submitRequest();
  request.setDeadlineMs(deadline_ms);
  auto list = request.initCalls(static_cast<unsigned>(calls.size()));
  for (unsigned i = 0; i < list.size(); ++i) calls[i](list[i]);
  EXPECT_TRUE(loop_.wait(request.send().then([&](auto response) {
    for (const auto outcome : response.getOutcomes()) answers.push_back(to_answer(outcome));
  }),
                         deadline_ms + kWaitMs));
  EXPECT_EQ(answers.size(), calls.size());
  answers.resize(calls.size());
  return answers;
}

Caller::Fill Caller::put_call(std::uint64_t session, std::uint64_t sequence, const std::string& key,
                              const std::string& value) {
  return [=](schema::Call::Builder call) {
    auto write = call.initWrite();
    write.setSession(session);
    write.setSequence(sequence);
    auto put = write.initTransaction().initThen(1)[0].initPut();
    put.setKey(bytes(key));
    put.setValue(bytes(value));
  };
}

Caller::Fill Caller::get_call(const std::string& key, bool serializable) {
  return [=](schema::Call::Builder call) {
    auto read = call.initRead();
    read.setSerializable(serializable);
    read.initTransaction().initThen(1)[0].initRange().initRange().setBegin(bytes(key));
  };
}

Answer Caller::open_session() {
  return submit({[](schema::Call::Builder call) { call.setOpenSession(); }})[0];
}
Answer Caller::put(std::uint64_t session, std::uint64_t sequence, const std::string& key,
                   const std::string& value, std::uint32_t deadline_ms) {
  return submit({put_call(session, sequence, key, value)}, deadline_ms)[0];
}
Answer Caller::get(const std::string& key, bool serializable, std::uint32_t deadline_ms) {
  return submit({get_call(key, serializable)}, deadline_ms)[0];
}

bool Caller::status_is(const Condition& condition) {
  bool holds = false;
  auto request = client_->bootstrap().castAs<schema::Holdfast>().statusRequest();
  EXPECT_TRUE(loop_.wait(
      request.send().then([&](auto response) { holds = condition(response.getStatus()); }),
      kWaitMs));
  return holds;
}

bool Caller::wait_for_status(const Condition& condition) {
  for (const std::uint64_t end_ms = boot_ms() + kWaitMs; boot_ms() < end_ms;) {
    if (status_is(condition)) return true;
    loop_.wait(loop_.timer().afterDelay(5 * kj::MILLISECONDS), 1000);
  }
  return false;
}

std::shared_ptr<Caller::Sent> Caller::send(const Fill& call) {
  auto sent = std::make_shared<Sent>();
  auto request = client_->bootstrap().castAs<schema::Holdfast>().submitRequest();
  call(request.initCalls(1)[0]);
  sent->task = request.send()
                   .then(
                       [raw = sent.get()](auto response) {
                         raw->answered = true;
                         raw->answer = to_answer(response.getOutcomes()[0]);
                       },
                       [raw = sent.get()](kj::Exception&&) { raw->broken = true; })
                   .eagerlyEvaluate(nullptr);
  return sent;
}

base::Code Caller::fault(const std::string& name, bool on, std::uint64_t for_ms,
                         const std::vector<FaultParameter>& parameters) {
  base::Code code = base::Code::kInternal;
  auto request = client_->bootstrap().castAs<schema::Holdfast>().faultRequest();
  request.setName(name);
  request.setOn(on);
  request.setForMs(for_ms);
  auto list = request.initParameters(static_cast<unsigned>(parameters.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    list[i].setName(parameters[i].first);
    list[i].setValue(parameters[i].second);
  }
  EXPECT_TRUE(loop_.wait(request.send().then([&](auto response) {
    code = static_cast<base::Code>(response.getCode());
  }),
                         kWaitMs));
  return code;
}

std::string http(std::uint16_t port, const std::string& request) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(port);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string text;
  for (const std::uint64_t end_ms = boot_ms() + 5000; boot_ms() < end_ms;) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, 100) <= 0) continue;
    char chunk[4096];
    const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
    if (n <= 0) break;
    text.append(chunk, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return text;
}

std::string http_get(std::uint16_t port, const std::string& path) {
  return http(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

}  // namespace server::testing
