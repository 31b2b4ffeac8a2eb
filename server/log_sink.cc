// See log_sink.h. The line is made on the caller's thread; spdlog brings the bounded queue and the
// thread that writes.
#include "server/log_sink.h"

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <unordered_map>

#include "server/clock.h"

namespace server {
namespace {

constexpr std::size_t kPipeBuffer = 4096;  // POLLOUT on a pipe promises room for so much
constexpr int kLastWaitMs = 200;
constexpr std::size_t kMaxRepeatKeys = 256;

/// Writes whole lines, and can be told to stop waiting for a reader that does not read.
class FdSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  FdSink(int fd, base::FaultSwitch* blocked) : fd_(fd), blocked_(blocked) {}
  void hurry() { hurried_.store(true, std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string line(message.payload.data(), message.payload.size());
    line += '\n';
    for (std::size_t done = 0; done < line.size();) {
      if (!wait_for_room()) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      const auto wrote =
          ::write(fd_, line.data() + done, std::min(kPipeBuffer, line.size() - done));
      if (wrote < 0 && errno != EINTR && errno != EAGAIN) return;  // nobody is left to tell
      if (wrote > 0) done += static_cast<std::size_t>(wrote);
    }
  }
  void flush_() override {}

 private:
  /// False once hurried and still no room.
  bool wait_for_room() {
    for (;;) {
      const bool last = hurried_.load(std::memory_order_relaxed);
      const bool blocked = blocked_ != nullptr && blocked_->on();
      if (blocked) blocked_->hit();
      pollfd waiting{blocked ? -1 : fd_, POLLOUT, 0};
      if (::poll(&waiting, 1, last ? (patient_ ? kLastWaitMs : 0) : 20) > 0) return true;
      if (last) {
        patient_ = false;
        return false;
      }
    }
  }

  const int fd_;
  base::FaultSwitch* const blocked_;
  std::atomic<bool> hurried_{false};
  std::atomic<std::uint64_t> dropped_{0};
  bool patient_ = true;  // the writing thread: one last wait, not one a line
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  return static_cast<spdlog::level::level_enum>(level);
}

std::string timestamp(std::uint64_t wall_ms) {
  const auto seconds = static_cast<time_t>(wall_ms / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[48];
  const auto length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03uZ",
                static_cast<unsigned>(wall_ms % 1000));
  return text;
}

/// Everything outside printable ASCII becomes an escape of its byte, so any bytes are valid JSON.
void append_escaped(std::string& out, std::string_view text) {
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += character;
    } else if (byte < 0x20 || byte >= 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out += character;
    }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

void append_value(std::string& out, const LogField& field) {
  if (const auto* text = std::get_if<std::string>(&field.value)) {
    append_quoted(out, *text);
  } else if (const auto* number = std::get_if<std::uint64_t>(&field.value)) {
    out += std::to_string(*number);
  } else {
    out += std::get<bool>(field.value) ? "true" : "false";
  }
}

}  // namespace

std::string_view name_of(LogLevel level) {
  static constexpr std::string_view kNames[] = {"trace", "debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

std::string format_line(LogFormat format, LogLevel level, std::uint64_t wall_ms,
                        std::string_view node, std::string_view message,
                        std::initializer_list<LogField> fields) {
  std::string line;
  if (format == LogFormat::kJson) {
    line += "{\"level\":\"";
    line += name_of(level);
    line += "\",\"ts\":\"" + timestamp(wall_ms) + "\",\"node\":";
    append_quoted(line, node);
    line += ",\"msg\":";
    append_quoted(line, message);
    for (const auto& field : fields) {
      line += ',';
      append_quoted(line, field.name);
      line += ':';
      append_value(line, field);
    }
    return line += '}';
  }
  line += timestamp(wall_ms);
  line += ' ';
  line += name_of(level);
  line += ' ';
  append_escaped(line, node);
  line += ": ";
  append_escaped(line, message);
  for (const auto& field : fields) {
    const auto* text = std::get_if<std::string>(&field.value);
    if (text != nullptr && text->empty()) continue;
    line += ' ';
    line += field.name;
    line += '=';
    append_value(line, field);
  }
  return line;
}

class LogSink::Impl {
 public:
  explicit Impl(LogOptions options)
      : options_(std::move(options)),
        sink_(std::make_shared<FdSink>(options_.fd, options_.blocked)),
        pool_(std::make_shared<spdlog::details::thread_pool>(options_.queue_lines, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "holdfast", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest)) {
    logger_->set_level(to_spdlog(options_.level));
  }
  ~Impl() {
    sink_->hurry();
    logger_.reset();
    pool_.reset();  // writes what is left, or drops it
  }

  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    if (!admit(message)) return;
    logger_->log(to_spdlog(level),
                 spdlog::string_view_t(format_line(options_.format, level, wall_ms(), options_.node,
                                                   message, fields)));
  }
  std::uint64_t dropped() const { return pool_->overrun_counter() + sink_->dropped(); }
  std::uint64_t suppressed() const { return suppressed_.load(std::memory_order_relaxed); }

 private:
  struct Repeats {
    std::uint64_t since_ms = 0;
    std::uint32_t count = 0;
  };

  bool admit(std::string_view message) {
    const std::uint64_t now = boot_ms();
    std::lock_guard lock(mutex_);
    if (repeats_.size() >= kMaxRepeatKeys) repeats_.clear();
    Repeats& repeats = repeats_[std::string(message)];
    if (now - repeats.since_ms >= 1000) repeats = {now, 0};
    if (++repeats.count <= options_.repeats_per_second) return true;
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

  const LogOptions options_;
  std::shared_ptr<FdSink> sink_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
  std::atomic<std::uint64_t> suppressed_{0};
  std::mutex mutex_;
  std::unordered_map<std::string, Repeats> repeats_;  // guarded by mutex_
};

LogSink::LogSink(LogOptions options)
    : level_(options.level), impl_(std::make_unique<Impl>(std::move(options))) {}
LogSink::~LogSink() = default;

void LogSink::write(LogLevel level, std::string_view message,
                    std::initializer_list<LogField> fields) {
  if (enabled(level)) impl_->write(level, message, fields);
}
std::uint64_t LogSink::dropped() const {
  return impl_->dropped();
}
std::uint64_t LogSink::suppressed() const {
  return impl_->suppressed();
}

}  // namespace server
