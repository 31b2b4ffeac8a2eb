// Log lines on stderr, written by a thread of spdlog's own, so that nobody who logs ever waits for
// whoever reads stderr. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/fault_switch.h"

namespace server {

enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError };
enum class LogFormat : std::uint8_t { kConsole, kJson };

std::string_view name_of(LogLevel level);

/// One field of a line: a kebab-case name and a value that is never a payload.
struct LogField {
  std::string_view name;
  std::variant<std::string, std::uint64_t, bool> value;
};

/// One line without its end. `wall_ms`: milliseconds since 1970. The JSON form is one object with
/// level, ts (UTC), node, msg and the fields; bytes that are not printable ASCII are
/// escaped, so that a line is always one line of valid JSON. The console form leaves empty texts
/// out.
std::string format_line(LogFormat format, LogLevel level, std::uint64_t wall_ms,
                        std::string_view node, std::string_view message,
                        std::initializer_list<LogField> fields);

struct LogOptions {
  std::string node;
  LogFormat format = LogFormat::kConsole;
  LogLevel level = LogLevel::kInfo;
  int fd = 2;
  std::size_t queue_lines = 4096;
  base::FaultSwitch* blocked = nullptr;   // while it is on nobody reads `fd`; outlives the sink
  std::uint32_t repeats_per_second = 10;  // of one message; more are counted, not written
};

/// Invariants:
/// - write() never waits for the reader of `fd`: the oldest waiting lines are dropped and counted;
/// - the destructor gives a blocked reader at most 200 ms.
class LogSink {
 public:
  explicit LogSink(LogOptions options);
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  /// Any thread. `message`: a fixed text, which is also what repeats are told by.
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  bool enabled(LogLevel level) const { return level >= level_; }
  /// Lines that were dropped because the reader was slow.
  std::uint64_t dropped() const;
  /// Lines that were left out as repeats.
  std::uint64_t suppressed() const;

 private:
  class Impl;
  const LogLevel level_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace server
