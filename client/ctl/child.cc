#include "client/ctl/child.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/check.h"

extern char** environ;

namespace client::ctl {

Child::~Child() {
  if (!runs()) return;
  signal(SIGKILL);
  (void)wait();
}

base::Status Child::start(const std::vector<std::string>& command,
                          const std::vector<std::pair<std::string, std::string>>& variables) {
  CHECK(pid_ == 0 && !command.empty(), "a child is started once");
  std::vector<std::string> environment;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string text = *each;
    bool replaced = false;
    for (const auto& [name, value] : variables) replaced = replaced || text.starts_with(name + "=");
    if (!replaced) environment.push_back(text);
  }
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  std::vector<char*> arguments, variables_of_it;
  std::vector<std::string> words = command;
  for (std::string& word : words) arguments.push_back(word.data());
  for (std::string& word : environment) variables_of_it.push_back(word.data());
  arguments.push_back(nullptr);
  variables_of_it.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int each : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&defaults, each);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error = posix_spawnp(&pid_, arguments[0], nullptr, &attributes, arguments.data(),
                                 variables_of_it.data());
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return base::Status::ok();
  pid_ = 0;
  return {base::Code::kInvalidArgument, command.front() + ": " + std::strerror(error)};
}

int Child::ended(int status) {
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

int Child::poll() {
  if (pid_ <= 0 || exit_code_ >= 0) return exit_code_;
  int status = 0;
  return waitpid(pid_, &status, WNOHANG) == pid_ ? ended(status) : -1;
}

int Child::wait() {
  if (pid_ <= 0 || exit_code_ >= 0) return exit_code_;
  int status = 0;
  pid_t got = 0;
  while ((got = waitpid(pid_, &status, 0)) < 0 && errno == EINTR) {
  }
  return got == pid_ ? ended(status) : exit_code_;
}

void Child::signal(int signal) const {
  if (pid_ > 0 && exit_code_ < 0) ::kill(pid_, signal);
}

}  // namespace client::ctl
