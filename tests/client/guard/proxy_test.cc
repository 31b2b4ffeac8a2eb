#include "client/guard/proxy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

namespace client::guard {
namespace {

/// A service that remembers every byte, before it a guard.
class Setting : private kj::TaskSet::ErrorHandler {
 public:
  Setting()
      : folder_(testing::TempDir() + "holdfast-proxy-" + std::to_string(getpid())), tasks_(*this) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    service_ = net::Listener::listen(loop_, {"127.0.0.1", 0}, 100,
                                     [this](std::shared_ptr<net::Socket> socket) {
                                       auto stream = std::make_shared<Stream>();
                                       stream->io = net::byte_stream(std::move(socket));
                                       tasks_.add(serve(stream));
                                     })
                   .value();
    proxy = Proxy::listen(loop_, {"127.0.0.1", 0}, {"127.0.0.1", service_->port()},
                          Mark(folder_ + "/mark"), [](const std::string&) {})
                .value();
  }
  ~Setting() {
    proxy = nullptr;  // before its loop
    std::filesystem::remove_all(folder_);
  }

  struct Stream {
    kj::Own<kj::AsyncIoStream> io;
    char byte = 0;
    std::string got;
  };
  using StreamPtr = std::shared_ptr<Stream>;

  StreamPtr connect(const std::string& first) {
    auto stream = std::make_shared<Stream>();
    EXPECT_TRUE(loop_.wait(net::dial(loop_, {"127.0.0.1", proxy->port()}, 1000)
                               .then([stream](std::shared_ptr<net::Socket> socket) {
                                 stream->io = net::byte_stream(std::move(socket));
                               }),
                           2000));
    send(stream, first);
    return stream;
  }
  void send(const StreamPtr& stream, const std::string& text) {
    auto kept = std::make_shared<std::string>(text);
    tasks_.add(stream->io->write(kept->data(), kept->size()).then([kept, stream] {}));
  }
  /// Until `text` was received or the other side ended; what was received.
  std::string receive(const StreamPtr& stream, const std::string& text) {
    (void)loop_.wait(read(stream, text), 3000);
    return stream->got;
  }
  void run_for(std::uint64_t ms) {
    (void)loop_.wait(loop_.timer().afterDelay(ms * kj::MILLISECONDS), ms + 500);
  }

  std::string seen;  // by the service
  std::unique_ptr<Proxy> proxy;

 private:
  kj::Promise<void> serve(const StreamPtr& stream) {
    return stream->io->tryRead(&stream->byte, 1, 1)
        .then([this, stream](std::size_t got) -> kj::Promise<void> {
          if (got == 0) return kj::READY_NOW;
          seen.push_back(stream->byte);
          // It echoes.
          return stream->io->write(&stream->byte, 1).then([this, stream] { return serve(stream); });
        });
  }
  kj::Promise<void> read(const StreamPtr& stream, const std::string& text) {
    return stream->io->tryRead(&stream->byte, 1, 1)
        .then([this, stream, text](std::size_t got) -> kj::Promise<void> {
          if (got == 0) return kj::READY_NOW;
          stream->got.push_back(stream->byte);
          if (stream->got.ends_with(text)) return kj::READY_NOW;
          return read(stream, text);
        });
  }
  void taskFailed(kj::Exception&&) override {}

  const std::string folder_;
  net::Loop loop_;
  std::unique_ptr<net::Listener> service_;
  kj::TaskSet tasks_;
};

TEST(Proxy, WhoIsAdmittedSpeaksToTheService) {
  Setting setting;
  const auto client = setting.connect("HOLDFAST-TOKEN 7\nhello");
  EXPECT_EQ(setting.receive(client, "hello"), "HOLDFAST-OK\nhello");
  EXPECT_EQ(setting.seen, "hello");
  EXPECT_EQ(setting.proxy->counters().admitted, 1u);
}

TEST(Proxy, AHigherTokenEndsTheLowerAndKeepsItOut) {
  Setting setting;
  const auto old = setting.connect("HOLDFAST-TOKEN 7\none");
  EXPECT_EQ(setting.receive(old, "one"), "HOLDFAST-OK\none");
  const auto young = setting.connect("HOLDFAST-TOKEN 9\ntwo");
  EXPECT_EQ(setting.receive(young, "two"), "HOLDFAST-OK\ntwo");
  setting.send(old, "stale");
  setting.run_for(200);
  EXPECT_EQ(setting.seen, "onetwo") << "a byte of the lower token came through";
  EXPECT_EQ(setting.receive(old, "never"), "HOLDFAST-OK\none") << "its connection has ended";
  const auto again = setting.connect("HOLDFAST-TOKEN 7\nstale");
  EXPECT_EQ(setting.receive(again, "never"), "HOLDFAST-FENCED 9\n");
  EXPECT_EQ(setting.seen, "onetwo");
  EXPECT_EQ(setting.proxy->counters().fenced, 1u);
  EXPECT_EQ(setting.proxy->counters().ended, 1u);
}

TEST(Proxy, WhatIsNoTokenIsTurnedAway) {
  Setting setting;
  for (const char* line : {"GET / HTTP/1.1\n", "HOLDFAST-TOKEN \n", "HOLDFAST-TOKEN -1\n",
                           "HOLDFAST-TOKEN 99999999999999999999\n", "HOLDFAST-TOKEN 0\n"}) {
    const auto client = setting.connect(line);
    EXPECT_TRUE(setting.receive(client, "never").starts_with("HOLDFAST-ERROR ")) << line;
  }
  const auto endless = setting.connect(std::string(1000, 'x'));
  EXPECT_TRUE(setting.receive(endless, "never").starts_with("HOLDFAST-ERROR "));
  EXPECT_EQ(setting.seen, "");
}

}  // namespace
}  // namespace client::guard
