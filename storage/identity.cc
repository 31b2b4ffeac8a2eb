#include "storage/identity.h"

#include <sys/random.h>

#include <cerrno>
#include <sstream>
#include <utility>

#include "base/hash.h"
#include "storage/append_plan.h"
#include "storage/files.h"

namespace storage {
namespace {

using base::Code;
using base::Status;

constexpr int kFormat = 1;
constexpr std::string_view kFormatName = "holdfast";
constexpr std::string_view kChecksumName = "checksum ";

std::string path_of(const std::string& directory, std::string_view name) {
  return directory + "/" + std::string(name);
}

/// Lines "NAME HEX", then a checksum over them.
std::string seal(const std::string& lines) {
  return lines + std::string(kChecksumName) + base::to_hex(base::hash64(lines)) + "\n";
}

std::string line(std::string_view name, std::uint64_t value) {
  return std::string(name) + " " + base::to_hex(value) + "\n";
}

Status damaged(const std::string& path) {
  return {Code::kCorrupt, path + " is damaged: its checksum or form does not hold"};
}

/// The lines of a sealed file; nullopt: no file.
base::Result<std::optional<std::string>> read_sealed(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes || !bytes.value()) return bytes;
  const std::string& text = *bytes.value();
  const std::size_t at = text.rfind(kChecksumName);
  if (at == std::string::npos || seal(text.substr(0, at)) != text) return damaged(path);
  return std::optional(text.substr(0, at));
}

/// Reads lines of these names, in order.
template <std::size_t kCount>
bool parse(const std::string& lines, const char* const (&names)[kCount],
           std::uint64_t (&values)[kCount]) {
  std::istringstream in(lines);
  for (std::size_t i = 0; i < kCount; ++i) {
    std::string name, hex;
    if (!(in >> name >> hex) || name != names[i] || !base::from_hex(hex, &values[i])) return false;
  }
  return true;
}

}  // namespace

base::Result<std::optional<Identity>> read_identity(const std::string& member_directory) {
  const std::string path = path_of(member_directory, "IDENTITY");
  auto lines = read_sealed(path);
  if (!lines) return lines.status();
  if (!lines.value()) return std::optional<Identity>();
  std::uint64_t values[3];
  if (!parse(*lines.value(), {"cluster", "member", "incarnation"}, values)) return damaged(path);
  return std::optional(Identity{base::ClusterId(values[0]), base::MemberId(values[1]),
                                base::Incarnation(values[2])});
}

Status write_identity(const std::string& member_directory, const Identity& identity) {
  return replace_file(
      path_of(member_directory, "IDENTITY"),
      seal(line("cluster", identity.cluster.value) + line("member", identity.member.value) +
           line("incarnation", identity.incarnation.value)));
}

base::Result<std::optional<base::Opening>> read_opening(const std::string& member_directory) {
  const std::string path = path_of(member_directory, "EPOCH");
  auto lines = read_sealed(path);
  if (!lines) return lines.status();
  if (!lines.value()) return std::optional<base::Opening>();
  std::uint64_t values[2];
  if (!parse(*lines.value(), {"epoch", "nonce"}, values)) return damaged(path);
  return std::optional(base::Opening{values[0], values[1]});
}

Status write_opening(const std::string& member_directory, const base::Opening& opening) {
  return replace_file(path_of(member_directory, "EPOCH"),
                      seal(line("epoch", opening.epoch) + line("nonce", opening.nonce)));
}

base::Result<bool> has_format(const std::string& member_directory) {
  const std::string path = path_of(member_directory, "FORMAT");
  auto bytes = read_file(path);
  if (!bytes) return bytes.status();
  if (!bytes.value()) return false;
  std::istringstream in(*bytes.value());
  std::string name;
  int format = 0;
  if (!(in >> name >> format) || name != kFormatName || format < 1) return damaged(path);
  if (format > kFormat) {
    return Status(Code::kNewerFormat, path + " says format " + std::to_string(format) +
                                          ", this version knows up to " + std::to_string(kFormat) +
                                          ": start the newer version");
  }
  return true;
}

Status write_format(const std::string& member_directory) {
  return replace_file(path_of(member_directory, "FORMAT"),
                      std::string(kFormatName) + " " + std::to_string(kFormat) + "\n");
}

base::Result<std::uint64_t> random_number() {
  std::uint64_t number = 0;
  while (number == 0) {
    if (::getrandom(&number, sizeof number, 0) != sizeof number && errno != EINTR) {
      return file_error("read", "getrandom", errno);
    }
  }
  return number;
}

EpochFence::EpochFence(std::string member_directory, base::Opening opening)
    : directory_(std::move(member_directory)), opening_(opening) {}

Status EpochFence::check() {
  const std::string path = path_of(directory_, "EPOCH");
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return file_error("look at", path, errno);
  const bool same = now.st_ino == seen_.st_ino && now.st_size == seen_.st_size &&
                    now.st_mtim.tv_sec == seen_.st_mtim.tv_sec &&
                    now.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec;
  if (same) return Status::ok();
  auto opening = read_opening(directory_);
  if (!opening) return opening.status();
  if (!opening.value() || *opening.value() != opening_) {
    return opened_elsewhere(opening_.epoch, opening.value() ? opening.value()->epoch : 0);
  }
  seen_ = now;
  return Status::ok();
}

}  // namespace storage
