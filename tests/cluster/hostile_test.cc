// Bytes that no client or member of ours would send, on every port: refused, bounded in memory, and
// the cluster goes on.
#include <gtest/gtest.h>

#include <fstream>

#include "base/random.h"
#include "tests/cluster/nodes.h"
#include "tests/cluster/socket.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

/// Little-endian.
std::string word32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  constexpr std::uint64_t kPage = 4096;
  return resident * kPage;
}

class Hostile : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    ASSERT_EQ(nodes_.holdfast({"put", "before", "1"}).exit_code, 0);
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      resident_before_ = std::max(resident_before_, resident_bytes(nodes_.pid(i)));
  }
  void TearDown() override {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      EXPECT_TRUE(nodes_.runs(i)) << nodes_.name(i) << " ended with " << nodes_.exit_code(i);
      const std::uint64_t now = resident_bytes(nodes_.pid(i));
      EXPECT_LT(now, resident_before_ + kAllowedBytes * time_scale()) << nodes_.name(i);
    }
    const Ended put = nodes_.holdfast({"put", "after", "2"});
    EXPECT_EQ(put.exit_code, 0) << put.err;
    EXPECT_EQ(nodes_.holdfast({"get", "before"}).out, "1\n");
  }
  static constexpr std::uint64_t kAllowedBytes = 64 << 20;

  std::vector<std::uint16_t> rpc_ports() const {
    std::vector<std::uint16_t> ports;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      ports.push_back(nodes_.client_port(i));
      ports.push_back(nodes_.peer_port(i));
    }
    return ports;
  }

  Nodes nodes_{3};
  std::uint64_t resident_before_ = 0;
};

TEST_F(Hostile, RandomBytesAreCutOff) {
  base::Random random(1);
  for (const std::uint16_t port : rpc_ports())
    for (int i = 0; i < 20; ++i) {
      Socket socket(port);
      ASSERT_TRUE(socket.connected());
      // The first word says that there are many segments: no message of ours begins so.
      std::string bytes = word32(0x7fffff00u + static_cast<std::uint32_t>(random.below(255)));
      for (int n = 0; n < 20'000; ++n) bytes.push_back(static_cast<char>(random.below(256)));
      (void)socket.send(bytes);
      EXPECT_TRUE(socket.closes(5000 * time_scale())) << "port " << port;
    }
}

TEST_F(Hostile, AHugeHeaderReservesNothing) {
  std::vector<Socket> sockets;
  for (const std::uint16_t port : rpc_ports())
    for (int i = 0; i < 50; ++i) {
      sockets.emplace_back(port);
      ASSERT_TRUE(sockets.back().connected());
      // One segment of 2 GiB; then 512 segments of 1 MiB each.
      if (i % 2 == 0) {
        (void)sockets.back().send(word32(0) + word32(0x0fffffff));
      } else {
        std::string header = word32(511);
        for (int n = 0; n < 512; ++n) header += word32(131072);
        (void)sockets.back().send(header + word32(0));
      }
    }
  for (auto& socket : sockets) EXPECT_TRUE(socket.closes(5000 * time_scale()));
}

TEST_F(Hostile, HalfAMessageIsCutOffInTime) {
  std::vector<Socket> sockets;
  for (const std::uint16_t port : rpc_ports())
    for (int i = 0; i < 50; ++i) {
      sockets.emplace_back(port);
      ASSERT_TRUE(sockets.back().connected());
      // One segment of 1 MiB is announced, and 800 bytes come.
      (void)sockets.back().send(word32(0) + word32(131072) + std::string(800, '\1'));
    }
  // Meanwhile others are served.
  EXPECT_EQ(nodes_.holdfast({"put", "meanwhile", "1"}).exit_code, 0);
  constexpr std::uint64_t kIncompleteMs = 10000;
  for (auto& socket : sockets) EXPECT_TRUE(socket.closes((kIncompleteMs + 5000) * time_scale()));
}

TEST_F(Hostile, IdleConnectionsAreInNobodysWay) {
  std::vector<Socket> sockets;
  constexpr int kIdle = 200;
  for (const std::uint16_t port : rpc_ports())
    for (int i = 0; i < kIdle; ++i) {
      sockets.emplace_back(port);
      EXPECT_TRUE(sockets.back().connected()) << "port " << port << ", connection " << i;
    }
  for (int i = 0; i < 5; ++i) {
    const std::string value = std::to_string(i);
    const Ended put = nodes_.holdfast({"put", "meanwhile", value});
    ASSERT_EQ(put.exit_code, 0) << put.err;
    EXPECT_EQ(nodes_.holdfast({"get", "meanwhile"}).out, value + "\n");
  }
}

TEST_F(Hostile, NoiseOnTheHttpPort) {
  base::Random random(2);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (int n = 0; n < 20; ++n) {
      Socket socket(nodes_.http_port(i));
      ASSERT_TRUE(socket.connected());
      std::string bytes;
      for (int k = 0; k < 20'000; ++k) bytes.push_back(static_cast<char>(random.below(256)));
      (void)socket.send(bytes + "\r\n\r\n");
    }
    Socket endless(nodes_.http_port(i));
    std::string header = "GET / HTTP/1.1\r\nX: ";
    header.append(4 << 20, 'x');
    (void)endless.send(header);
    EXPECT_TRUE(endless.closes(20000 * time_scale())) << "a header without end";
    EXPECT_EQ(http_get(nodes_.http_port(i), "/livez").code, 200);
  }
}

TEST_F(Hostile, WritingGoesOnMeanwhile) {
  Writers writers({.endpoints = nodes_.endpoints()});
  base::Random random(3);
  const std::uint64_t end = now_ms() + 2000 * time_scale();
  while (now_ms() < end)
    for (const std::uint16_t port : rpc_ports()) {
      Socket socket(port);
      std::string bytes;
      for (int n = 0; n < 2000; ++n) bytes.push_back(static_cast<char>(random.below(256)));
      (void)socket.send(bytes);
    }
  writers.stop();
  EXPECT_GT(writers.acknowledged(), 100u);
  EXPECT_LT(writers.longest_gap_ms(0), 1500u * time_scale());
  for (const auto& wrong : compare_with_cluster(writers.history(), "w/", nodes_.endpoints()))
    ADD_FAILURE() << wrong;
}

}  // namespace
}  // namespace cluster
