#include "client/ctl/server_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "client/ctl/bad_argument.h"
#include "client/ctl/commands.h"

namespace client::ctl {
base::Result<std::string> find_server_program() {
  if (const char* given = std::getenv("HOLDFASTD"); given != nullptr && *given != '\0') {
    if (access(given, X_OK) == 0) return std::string(given);
    return bad(std::string("HOLDFASTD names ") + given + ", which cannot be run");
  }
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path() / "holdfastd";
  if (access(beside.c_str(), X_OK) == 0) return beside.string();
  return bad(beside.string() + " is not there: build holdfastd, or name it in HOLDFASTD");
}

int become_server_program(const Arguments& arguments) {
  const Format format = arguments.global.format;
  auto program = find_server_program();
  if (!program.is_ok()) return fail("holdfastd", program.status(), format);
  std::vector<std::string> words = {program.value()};
  words.insert(words.end(), arguments.offline.begin(), arguments.offline.end());
  if (format == Format::kJson) words.insert(words.end(), {"-w", "json"});
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  return fail("holdfastd", bad(program.value() + " cannot be run: " + std::strerror(errno)),
              format);
}

}  // namespace client::ctl
