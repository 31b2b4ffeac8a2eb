// Dialling by name: a resolver that fails or hangs costs nobody a link that stood before.
#include "net/names.h"

#include <gtest/gtest.h>

#include <chrono>

#include <kj/timer.h>
#include <asio/ip/address.hpp>

#include "net/connection.h"
#include "tests/net/echo.h"

namespace net {
namespace {

constexpr std::uint64_t kForever = base::FaultSwitch::kForever;

class NamesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto listener = Listener::listen(loop_, {"127.0.0.1", 0}, 16,
                                     [](std::shared_ptr<Socket> socket) { socket.reset(); });
    ASSERT_TRUE(listener.is_ok());
    listener_ = std::move(listener).value();
    loop_.names().meet(&faults_);
  }
  /// What went wrong; empty if it connected.
  std::string dial_localhost(std::uint32_t timeout_ms = 3000) {
    std::string failed = "not tried";
    (void)loop_.wait(dial(loop_, {"localhost", listener_->port()}, timeout_ms)
                         .then([&](std::shared_ptr<Socket>) { failed.clear(); },
                               [&](kj::Exception&& e) { failed = e.getDescription().cStr(); }),
                     2 * timeout_ms);
    return failed;
  }

  Loop loop_;
  NameFaults faults_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(NamesTest, TheLastGoodAddressIsKept) {
  ASSERT_EQ(dial_localhost(), "");
  faults_.fail.set(0, kForever);
  EXPECT_EQ(dial_localhost(), "");
  EXPECT_EQ(faults_.fail.hits(), 1u);
  faults_.fail.clear();
  faults_.hang.set(0, kForever);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(dial_localhost(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(faults_.hang.hits(), 1u);
}

/// The member has moved, and the name server is slower than we have patience.
TEST_F(NamesTest, AnAnswerThatComesTooLateIsForTheNextAttempt) {
  const std::uint16_t port = listener_->port();
  // Nobody listens there: 127.0.0.2 is this machine, and the listener is on 127.0.0.1 alone.
  const asio::ip::tcp::endpoint before(asio::ip::make_address("127.0.0.2"), port);
  loop_.names().remember("localhost", port, {before});
  faults_.slow.set(2 * Names::kPatienceMs, kForever);
  EXPECT_NE(dial_localhost(), "") << "the old address is tried";
  (void)loop_.wait(loop_.timer().afterDelay(600 * kj::MILLISECONDS), 5000);
  EXPECT_EQ(dial_localhost(), "");
  EXPECT_EQ(faults_.slow.hits(), 2u);
}

TEST_F(NamesTest, ANameThatWasNeverResolvedFailsAndSaysWhy) {
  faults_.fail.set(0, kForever);
  EXPECT_NE(dial_localhost().find("localhost"), std::string::npos);
  faults_.fail.clear();
  faults_.hang.set(0, kForever);
  EXPECT_NE(dial_localhost(300), "");
  faults_.hang.clear();
  EXPECT_EQ(dial_localhost(), "");
}

TEST_F(NamesTest, ANumericAddressNeedsNoName) {
  faults_.fail.set(0, kForever);
  bool connected = false;
  (void)loop_.wait(
      dial(loop_, {"127.0.0.1", listener_->port()}, 3000)
          .then([&](std::shared_ptr<Socket>) { connected = true; }, [](kj::Exception&&) {}),
      6000);
  EXPECT_TRUE(connected);
  EXPECT_EQ(faults_.fail.hits(), 0u);
}

}  // namespace
}  // namespace net
