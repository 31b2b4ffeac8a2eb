// Writes a history down while it goes on: a line an event, out of this process at once. Loop
// thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "jepsen/history/event.h"

namespace jepsen {

class Recorder {
 public:
  /// Errors: kIo, naming the file.
  static base::Result<Recorder> open(const std::string& path);
  Recorder(Recorder&& other) noexcept;
  Recorder& operator=(Recorder&&) = delete;
  ~Recorder();

  /// Stamps and writes it. Returns its place. A file that cannot be written ends the process: a
  /// history with a hole is none.
  std::uint64_t record(Event event);
  /// Of somebody who is no client.
  std::uint64_t note(std::string actor, std::string f, Value value, std::string node = "");
  /// Since it was opened, of the monotonic clock.
  std::uint64_t now_ns() const;
  std::uint64_t next_place() const { return index_; }

 private:
  explicit Recorder(int fd);
  int fd_;
  std::uint64_t start_ns_;
  std::uint64_t index_ = 0;
};

}  // namespace jepsen
