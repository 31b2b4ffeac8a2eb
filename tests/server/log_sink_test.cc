#include "server/log_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "server/clock.h"

namespace server {
namespace {

struct Pipe {
  int ends[2];
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    close_read();
    ::close(ends[1]);
  }
  void close_read() {
    if (ends[0] >= 0) ::close(std::exchange(ends[0], -1));
  }
  /// Everything that is there now.
  std::string drain() {
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    std::string text;
    char chunk[4096];
    for (ssize_t n; (n = ::read(ends[0], chunk, sizeof chunk)) > 0;) {
      text.append(chunk, static_cast<std::size_t>(n));
    }
    return text;
  }
};

TEST(LogSink, JsonLinesAreValidWhateverTheFieldsHold) {
  const std::string nasty = "quote\" back\\slash\nline\x01\xff\xc3\xa9";
  const auto line =
      format_line(LogFormat::kJson, LogLevel::kWarn, 1'700'000'000'123, nasty, "became-leader",
                  {{"term", std::uint64_t{7}}, {"reason", nasty}, {"ok", true}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["level"], "warn");
  EXPECT_EQ(json["ts"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(json["msg"], "became-leader");
  EXPECT_EQ(json["term"], 7);
  EXPECT_EQ(json["ok"], true);
  EXPECT_TRUE(json["reason"].get<std::string>().starts_with("quote\" back\\slash\nline"));
}

TEST(LogSink, ConsoleLinesAreOneLine) {
  const auto line =
      format_line(LogFormat::kConsole, LogLevel::kInfo, 1'700'000'000'000, "n1", "stepped-down",
                  {{"peer", std::string()}, {"reason", std::string("two\nlines")}});
  EXPECT_EQ(line, "2023-11-14T22:13:20.000Z info n1: stepped-down reason=\"two\\u000alines\"");
}

TEST(LogSink, WritesWhatIsAtOrAboveItsLevel) {
  Pipe pipe;
  {
    LogSink sink(
        {.node = "n1", .format = LogFormat::kJson, .level = LogLevel::kInfo, .fd = pipe.ends[1]});
    sink.write(LogLevel::kDebug, "hidden");
    sink.write(LogLevel::kInfo, "shown");
    sink.write(LogLevel::kError, "too");
  }
  const std::string text = pipe.drain();
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_NE(text.find("shown"), std::string::npos);
  EXPECT_NE(text.find("too"), std::string::npos);
}

TEST(LogSink, ABlockedReaderDelaysNobodyAndDropsAreCounted) {
  Pipe pipe;
  const std::uint64_t start = boot_ms();
  std::uint64_t dropped = 0;
  {
    LogSink sink(
        {.node = "n1", .fd = pipe.ends[1], .queue_lines = 64, .repeats_per_second = 1'000'000});
    // Far more than a pipe's 64 KiB and the queue take together.
    for (int i = 0; i < 10'000; ++i) {
      sink.write(LogLevel::kInfo, "line", {{"text", std::string(100, 'x')}});
    }
    EXPECT_LT(boot_ms() - start, 2000u) << "a writer waited for the reader";
    dropped = sink.dropped();
    EXPECT_GT(dropped, 5000u);
  }
  EXPECT_LT(boot_ms() - start, 4000u) << "the end waited for the reader";
}

TEST(LogSink, AReaderThatWentAwayIsNoError) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.close_read();
  LogSink sink({.node = "n1", .fd = pipe.ends[1]});
  for (int i = 0; i < 100; ++i) sink.write(LogLevel::kInfo, "line");
}

TEST(LogSink, RepeatsAreLeftOutAndCounted) {
  Pipe pipe;
  {
    LogSink sink({.node = "n1", .fd = pipe.ends[1], .repeats_per_second = 3});
    for (int i = 0; i < 50; ++i) sink.write(LogLevel::kInfo, "again");
    sink.write(LogLevel::kInfo, "other");
    EXPECT_GE(sink.suppressed(), 40u);
  }
  const std::string text = pipe.drain();
  EXPECT_NE(text.find("other"), std::string::npos);
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 11);
}

}  // namespace
}  // namespace server
