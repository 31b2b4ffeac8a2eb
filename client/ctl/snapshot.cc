#include "client/ctl/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "client/client.h"
#include "client/ctl/commands.h"
#include "client/ctl/print.h"

namespace client::ctl {
namespace {

using base::Code;
using base::Result;
using base::Status;
using Clock = std::chrono::steady_clock;

constexpr auto kProgressEvery = std::chrono::seconds(1);
/// Far more than any fetch takes; what ends one is the want of progress.
constexpr std::uint64_t kLongestMs = 30ull * 24 * 3600 * 1000;

std::string mebibytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

/// Bytes to the file, and now and then a word about it to stderr.
class Progress {
 public:
  Progress(PartialFile& file, std::string endpoint) : file_(file), endpoint_(std::move(endpoint)) {}

  Status write(std::string_view data) {
    if (Status status = file_.write(data); !status.is_ok()) return status;
    bytes_ += data.size();
    if (const auto now = Clock::now(); now >= next_) {
      next_ = now + kProgressEvery;
      std::fprintf(stderr, "holdfast: snapshot save: %s from %s\n", mebibytes(bytes_).c_str(),
                   endpoint_.c_str());
    }
    return Status::ok();
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  PartialFile& file_;
  const std::string endpoint_;
  std::uint64_t bytes_ = 0;
  Clock::time_point next_ = Clock::now() + kProgressEvery;
};

struct Saved {
  Header header;
  std::string endpoint;
  std::uint64_t bytes = 0;
};

Result<Saved> fetch(net::Loop& loop, const Arguments& arguments, const std::string& endpoint,
                    PartialFile& file) {
  if (Status status = file.open(); !status.is_ok()) return status;
  auto progress = std::make_shared<Progress>(file, endpoint);
  SnapshotRequest request;
  request.consistency = arguments.snapshot.consistency;
  request.timeout_ms = arguments.global.client.timeout_ms;
  request.write = [progress](std::string_view data) { return progress->write(data); };
  auto result = std::make_shared<Result<Header>>(Status(Code::kUnavailable, "no answer"));
  (void)loop.wait(
      snapshot(loop, endpoint, std::move(request)).then([result](Result<Header>&& header) {
        *result = std::move(header);
      }),
      kLongestMs);
  if (!result->is_ok()) return result->status();
  return Saved{result->value(), endpoint, progress->bytes()};
}

/// From the first endpoint that can: any member's state will do.
Result<Saved> fetch_from_any(const Arguments& arguments, PartialFile& file) {
  net::Loop loop;
  Status failure(Code::kInvalidArgument, "no endpoint given");
  for (const std::string& endpoint : arguments.global.client.endpoints) {
    if (failure.code() != Code::kInvalidArgument) {
      std::fprintf(stderr, "holdfast: snapshot save: %s; trying %s\n", failure.to_string().c_str(),
                   endpoint.c_str());
    }
    auto saved = fetch(loop, arguments, endpoint, file);
    if (saved.is_ok() || !saved.status().retryable()) return saved;
    failure = saved.status();
  }
  return failure;
}

std::string simple_saved(const Saved& saved, const std::string& path) {
  return "saved " + path + ": revision " + std::to_string(saved.header.revision.value) +
         ", index " + std::to_string(saved.header.applied.value) + ", " + mebibytes(saved.bytes) +
         " from " + saved.endpoint + "\n";
}

std::string json_saved(const Saved& saved, const std::string& path) {
  const nlohmann::ordered_json json = {{"file", path},
                                       {"endpoint", saved.endpoint},
                                       {"cluster", base::to_hex(saved.header.cluster.value)},
                                       {"generation", saved.header.generation},
                                       {"revision", saved.header.revision.value},
                                       {"index", saved.header.applied.value},
                                       {"bytes", saved.bytes}};
  return json_line(json);
}

}  // namespace

int run_snapshot_save(const Arguments& arguments) {
  const Format format = arguments.global.format;
  const std::string& path = arguments.snapshot.file;
  PartialFile file(path);
  auto saved = fetch_from_any(arguments, file);
  if (!saved.is_ok()) return fail("snapshot save", saved.status(), format);
  if (Status status = file.commit(); !status.is_ok()) return fail("snapshot save", status, format);
  return print(
      stdout,
      format == Format::kJson ? json_saved(saved.value(), path) : simple_saved(saved.value(), path),
      kExitOk);
}

PartialFile::~PartialFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(partial().c_str());
}

Status PartialFile::failed(const std::string& what) const {
  // Another member would not help, and nothing is left to be unsure of.
  return {Code::kInvalidArgument, "cannot " + what + " " + partial() + ": " + std::strerror(errno)};
}

Status PartialFile::open() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = ::open(partial().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return descriptor_ < 0 ? failed("open") : Status::ok();
}

Status PartialFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return Status::ok();
}

Status PartialFile::commit() {
  if (::fsync(descriptor_) != 0) return failed("sync");
  if (std::rename(partial().c_str(), path_.c_str()) != 0) return failed("rename");
  ::close(std::exchange(descriptor_, -1));
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int directory = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
  const bool synced = directory >= 0 && ::fsync(directory) == 0;
  const Status status = synced ? Status::ok() : failed("sync the folder of");
  if (directory >= 0) ::close(directory);
  return status;
}

}  // namespace client::ctl
