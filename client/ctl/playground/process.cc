#include "client/ctl/playground/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

extern char** environ;

namespace client::ctl::playground {
namespace {

struct FileActions {
  posix_spawn_file_actions_t value;
  FileActions() { posix_spawn_file_actions_init(&value); }
  ~FileActions() { posix_spawn_file_actions_destroy(&value); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
};
struct Attributes {
  posix_spawnattr_t value;
  Attributes() { posix_spawnattr_init(&value); }
  ~Attributes() { posix_spawnattr_destroy(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
};

base::Status io_error(const std::string& what, int error) {
  return {base::Code::kIo, what + ": " + std::strerror(error)};
}

/// A child inherits neither our blocked signals nor our ignored ones.
void set_attributes(Attributes& attributes, bool own_session) {
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (int signal : {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGHUP}) sigaddset(&defaults, signal);
  posix_spawnattr_setsigmask(&attributes.value, &none);
  posix_spawnattr_setsigdefault(&attributes.value, &defaults);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (own_session) {
    flags |= POSIX_SPAWN_SETSID;
  } else {
    flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setpgroup(&attributes.value, 0);
  }
  posix_spawnattr_setflags(&attributes.value, flags);
}

/// Whether the child is still on its way to the program, so that the kernel may not know yet that
/// it dies with its parent. One that is stopped then would be left behind.
bool is_on_its_way(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
  std::string program, verb;
  std::getline(file, program, '\0');
  std::getline(file, verb, '\0');
  return verb == kChildVerb;
}

void wait_until_it_runs(pid_t pid) {
  constexpr int kLooks = 4000, kLookUs = 500;
  for (int i = 0; i < kLooks && is_on_its_way(pid); ++i) usleep(kLookUs);
}

}  // namespace

std::optional<ProcessId> find_process(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The name, in parentheses, may hold anything: fields are counted from behind its end.
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string state, skipped;
  fields >> state;
  constexpr int kFieldsBetween = 18;  // from ppid (4) to itrealvalue (21); the start time is 22
  for (int i = 0; i < kFieldsBetween; ++i) fields >> skipped;
  std::uint64_t start_time = 0;
  if (!(fields >> start_time) || state == "Z" || state == "X") return std::nullopt;
  return ProcessId{pid, start_time};
}

bool is_alive(const ProcessId& process) {
  const auto found = find_process(process.pid);
  return found.has_value() && *found == process;
}

bool send_signal(const ProcessId& process, int signal) {
  // The descriptor holds on to whatever has the pid now; only then it is compared.
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0));
  if (fd < 0) return false;
  const bool sent =
      is_alive(process) && syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) == 0;
  close(fd);
  return sent;
}

base::Result<ProcessId> spawn(const Spawn& how) {
  std::vector<std::string> words;
  if (how.dies_with_parent) words = {self_path(), kChildVerb, std::to_string(getpid())};
  words.insert(words.end(), how.argv.begin(), how.argv.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  FileActions actions;
  posix_spawn_file_actions_addopen(&actions.value, 0, "/dev/null", O_RDONLY, 0);
  if (!how.log_path.empty()) {
    posix_spawn_file_actions_addopen(&actions.value, 1, how.log_path.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions.value, 1, 2);
  }
  Attributes attributes;
  set_attributes(attributes, how.own_session);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, argv[0], &actions.value, &attributes.value, argv.data(), environ);
  if (error != 0) return io_error(how.argv.front() + " cannot be started", error);
  if (how.dies_with_parent) wait_until_it_runs(pid);
  const auto process = find_process(pid);
  // Gone already: its parent will reap it and say how it ended.
  return process.value_or(ProcessId{pid, 0});
}

int run_child(int argc, char** argv) {
  constexpr int kParent = 2, kProgram = 3;
  if (argc <= kProgram) return 2;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    std::perror("prctl");
    return 1;
  }
  // The parent may have died before the kernel was asked.
  if (getppid() != std::atoi(argv[kParent])) return 1;
  execv(argv[kProgram], argv + kProgram);
  std::fprintf(stderr, "holdfast: %s cannot be run: %s\n", argv[kProgram], std::strerror(errno));
  return 127;
}

std::string self_path() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace client::ctl::playground
