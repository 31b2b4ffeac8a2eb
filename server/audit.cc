#include "server/audit.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "server/clock.h"

namespace server {
namespace {

std::string who() {
  std::string name;
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr) name = user->pw_name;
  if (const char* behind = std::getenv("SUDO_USER"); behind != nullptr && *behind != '\0') {
    name = std::string(behind) + " as " + name;
  }
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return (name.empty() ? "uid " + std::to_string(::getuid()) : name) + " on " + host;
}

}  // namespace

std::string audit_record(const std::string& act, const AuditFields& fields) {
  std::string record = describe_time(wall_ms()) + " " + act + "\n";
  const auto add = [&record](const std::string& name, std::string value) {
    std::replace_if(
        value.begin(), value.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    record += "  " + name + ": " + value + "\n";
  };
  add("by", who());
  for (const auto& [name, value] : fields) add(name, value);
  return record;
}

std::string describe(const kv::Position& position) {
  return "generation " + std::to_string(position.generation) + ", term " +
         std::to_string(position.term.value) + ", index " + std::to_string(position.applied.value) +
         ", revision " + std::to_string(position.revision.value);
}

std::string describe_time(std::uint64_t ms_since_1970) {
  const auto seconds = static_cast<std::time_t>(ms_since_1970 / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace server
