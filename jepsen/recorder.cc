#include "jepsen/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "jepsen/history/json_lines.h"

namespace jepsen {
namespace {

std::uint64_t clock_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

base::Result<Recorder> Recorder::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return base::Status(base::Code::kIo, path + ": " + std::strerror(errno));
  return Recorder(fd);
}

Recorder::Recorder(int fd) : fd_(fd), start_ns_(clock_ns()) {}
Recorder::Recorder(Recorder&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), start_ns_(other.start_ns_), index_(other.index_) {}
Recorder::~Recorder() {
  if (fd_ >= 0) close(fd_);
}

std::uint64_t Recorder::now_ns() const {
  return clock_ns() - start_ns_;
}

std::uint64_t Recorder::record(Event event) {
  event.time_ns = now_ns();
  const std::uint64_t place = index_++;
  const std::string line = to_json(to_value(event, place)) + "\n";
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t wrote = ::write(fd_, line.data() + done, line.size() - done);
    CHECK(wrote > 0 || errno == EINTR,
          std::string("the history cannot be written: ") + std::strerror(errno));
    if (wrote > 0) done += static_cast<std::size_t>(wrote);
  }
  return place;
}

std::uint64_t Recorder::note(std::string actor, std::string f, Value value, std::string node) {
  Event event;
  event.actor = std::move(actor);
  event.f = std::move(f);
  event.value = std::move(value);
  event.node = std::move(node);
  return record(std::move(event));
}

}  // namespace jepsen
