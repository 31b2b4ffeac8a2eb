#include "client/ctl/playground/state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace client::ctl::playground {
namespace {

using nlohmann::ordered_json;

base::Status io_error(const std::string& what) {
  return {base::Code::kIo, what + ": " + std::strerror(errno)};
}

ordered_json process_json(const ProcessId& process) {
  return {{"pid", process.pid}, {"start_time", process.start_time}};
}

ProcessId process_of(const ordered_json& json) {
  return {json.at("pid").get<pid_t>(), json.at("start_time").get<std::uint64_t>()};
}

ordered_json node_json(const Node& node) {
  return {{"name", node.name},
          {"state", node.state},
          {"process", process_json(node.process)},
          {"client_port", node.client_port},
          {"peer_port", node.peer_port},
          {"http_port", node.http_port},
          {"restarts", node.restarts},
          {"last_exit", node.last_exit}};
}

Node node_of(const ordered_json& json) {
  Node node;
  json.at("name").get_to(node.name);
  json.at("state").get_to(node.state);
  node.process = process_of(json.at("process"));
  json.at("client_port").get_to(node.client_port);
  json.at("peer_port").get_to(node.peer_port);
  json.at("http_port").get_to(node.http_port);
  json.at("restarts").get_to(node.restarts);
  json.at("last_exit").get_to(node.last_exit);
  return node;
}

}  // namespace

const Node* State::find(const std::string& name) const {
  for (const auto& node : nodes)
    if (node.name == name) return &node;
  return nullptr;
}

std::vector<std::string> State::names() const {
  std::vector<std::string> names;
  for (const Node& node : nodes) names.push_back(node.name);
  return names;
}

std::vector<std::string> State::endpoints() const {
  std::vector<std::string> endpoints;
  for (const auto& node : nodes) endpoints.push_back(node.endpoint());
  return endpoints;
}

base::Result<std::string> directory_of(const std::string& tag) {
  constexpr char kAllowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (tag.empty() || tag.size() > 64 || tag.front() == '.' ||
      tag.find_first_not_of(kAllowed) != std::string::npos)
    return base::Status(base::Code::kInvalidArgument,
                        "a tag has 1 to 64 letters, digits, '-', '_' and '.', not \"" + tag + "\"");
  std::string root;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    root = state;
  else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    root = std::string(home) + "/.local/state";
  else
    return base::Status(base::Code::kInvalidArgument,
                        "neither XDG_STATE_HOME nor HOME says where to keep a playground");
  return root + "/holdfast/playground/" + tag;
}

std::string to_json(const State& state) {
  ordered_json nodes = ordered_json::array();
  for (const auto& node : state.nodes) nodes.push_back(node_json(node));
  const ordered_json json = {{"tag", state.tag},
                             {"token", state.token},
                             {"directory", state.directory},
                             {"data", state.data},
                             {"keep_data", state.keep_data},
                             {"server", state.server},
                             {"server_flags", state.server_flags},
                             {"supervisor", process_json(state.supervisor)},
                             {"nodes", nodes}};
  return json.dump() + "\n";
}

base::Result<State> from_json(const std::string& text) {
  try {
    const auto json = ordered_json::parse(text);
    State state;
    json.at("tag").get_to(state.tag);
    json.at("token").get_to(state.token);
    json.at("directory").get_to(state.directory);
    json.at("data").get_to(state.data);
    json.at("keep_data").get_to(state.keep_data);
    json.at("server").get_to(state.server);
    json.at("server_flags").get_to(state.server_flags);
    state.supervisor = process_of(json.at("supervisor"));
    for (const auto& node : json.at("nodes")) state.nodes.push_back(node_of(node));
    return state;
  } catch (const nlohmann::json::exception& error) {
    return base::Status(base::Code::kCorrupt,
                        std::string("the state of the playground: ") + error.what());
  }
}

base::Status write_file(const std::string& path, const std::string& text) {
  const std::string next = path + ".next";
  std::ofstream file(next, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return io_error(next + " cannot be written");
  if (std::rename(next.c_str(), path.c_str()) != 0) return io_error(path + " cannot be replaced");
  return {};
}

base::Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return io_error(path + " cannot be read");
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

base::Result<State> load(const std::string& directory) {
  auto text = read_file(directory + "/state.json");
  if (!text.is_ok()) return text.status();
  return from_json(text.value());
}

base::Result<std::optional<Lock>> Lock::take(const std::string& directory) {
  const std::string path = directory + "/lock";
  while (true) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return base::Status(base::Code::kIo, directory + ": " + error.message());
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return io_error(path + " cannot be opened");
    Lock lock(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::optional<Lock>();
      return io_error(path + " cannot be locked");
    }
    // A `down` may have removed it between opening and locking: then this is nobody's lock.
    struct stat held {
    }, now{};
    if (fstat(fd, &held) == 0 && stat(path.c_str(), &now) == 0 && held.st_ino == now.st_ino)
      return std::optional<Lock>(std::move(lock));
  }
}

Lock::Lock(Lock&& other) noexcept : fd_(other.fd_) {
  other.fd_ = -1;
}
Lock::~Lock() {
  if (fd_ >= 0) close(fd_);
}
void Lock::inherit() const {
  fcntl(fd_, F_SETFD, 0);
}

bool is_locked(const std::string& directory) {
  const int fd = open((directory + "/lock").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  const bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(fd);
  return locked;
}

}  // namespace client::ctl::playground
