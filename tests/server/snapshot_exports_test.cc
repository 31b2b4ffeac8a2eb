// Snapshot files on their way to clients: from a frozen state, a few at a time, and not for ever.
#include "server/snapshot_exports.h"

#include <gtest/gtest.h>

#include <fstream>

#include "server/clock.h"
#include "tests/server/running_node.h"

namespace server {
namespace {

using base::Code;
using testing::Answer;
using testing::Caller;
using testing::free_port;
using testing::loopback_config;
using testing::RunningNode;
using testing::TemporaryDirectory;

constexpr std::uint64_t kWaitMs = 10'000;

class SnapshotExport : public ::testing::Test {
 protected:
  using Snapshot = kj::Maybe<schema::Snapshot::Client>;

  void SetUp() override {
    ASSERT_TRUE(caller_.wait_for_status(
        [](auto status) { return status.getReady() && status.getRole() == "leader"; }));
    session_ = caller_.open_session().session;
  }
  void put(const std::string& key, const std::string& value) {
    const Answer answer = caller_.put(session_, ++sequence_, key, value);
    ASSERT_EQ(answer.code, Code::kOk) << answer.detail;
  }
  struct Connection {
    std::unique_ptr<net::RpcClient> rpc;
  };
  std::unique_ptr<net::RpcClient> connect() {
    std::unique_ptr<net::RpcClient> rpc;
    EXPECT_TRUE(loop_.wait(net::dial(loop_, {"127.0.0.1", node_.client_port()}, 5000)
                               .then([&](std::shared_ptr<net::Socket> socket) {
                                 rpc = net::RpcClient::make(loop_, std::move(socket), {});
                               }),
                           kWaitMs));
    return rpc;
  }
  /// The code; kOk: `to` is set.
  Code open(net::RpcClient& rpc, Snapshot& to) {
    Code code = Code::kInternal;
    auto request = rpc.bootstrap().castAs<schema::Holdfast>().snapshotRequest();
    EXPECT_TRUE(loop_.wait(request.send().then([&](auto&& reply) {
      code = static_cast<Code>(reply.getCode());
      if (code == Code::kOk) to = reply.getSnapshot();
    }),
                           kWaitMs));
    return code;
  }
  std::string read_all(Snapshot& from) {
    std::string bytes;
    for (bool done = false; !done && !HasFailure();) {
      KJ_IF_MAYBE (snapshot, from) {
        EXPECT_TRUE(loop_.wait(snapshot->readRequest().send().then([&](auto&& reply) {
          EXPECT_EQ(reply.getCode(), 0) << reply.getDetail().cStr();
          const auto data = reply.getData();
          bytes.append(reinterpret_cast<const char*>(data.begin()), data.size());
          EXPECT_LT(data.size(), 3u << 20) << "a part stays small";
          done = reply.getDone();
        }),
                               kWaitMs));
      }
    }
    return bytes;
  }
  base::Result<storage::SnapshotFileSummary> summary_of(const std::string& bytes) {
    const std::string path = directory_.path() + "/file";
    std::ofstream(path, std::ios::binary) << bytes;
    return storage::summarize_snapshot_file(path);
  }

  TemporaryDirectory directory_;
  RunningNode node_{loopback_config(0, {free_port()}, directory_.path() + "/data")};
  net::Loop loop_;
  Caller caller_{loop_, node_.client_port()};
  std::uint64_t session_ = 0;
  std::uint64_t sequence_ = 0;
};

TEST_F(SnapshotExport, HoldsTheStateOfTheMomentItWasOpened) {
  for (int i = 0; i < 5; ++i) put("key" + std::to_string(i), std::string(700'000, 'v'));
  auto rpc = connect();
  Snapshot snapshot;
  ASSERT_EQ(open(*rpc, snapshot), Code::kOk);
  put("later", "not in it");
  put("key0", "not in it");
  auto summary = summary_of(read_all(snapshot));
  ASSERT_TRUE(summary.is_ok()) << summary.status().to_string();
  EXPECT_EQ(summary->keys, 5u);
  EXPECT_EQ(summary->header.position.revision, base::Revision(5));
  EXPECT_EQ(summary->header.cluster, node_.config().cluster);
  EXPECT_EQ(summary->header.member, node_.config().self);
  EXPECT_GE(summary->chunks, 5u);
  EXPECT_TRUE(raft::decode_configuration(summary->header.position.configuration).has_value());
}

TEST_F(SnapshotExport, AFewAtATimeAndWhoGoesMakesRoom) {
  put("key", "value");
  auto rpc = connect();
  std::vector<Snapshot> open_ones(SnapshotExports::kMost);
  for (auto& each : open_ones) ASSERT_EQ(open(*rpc, each), Code::kOk);
  Snapshot one_more;
  EXPECT_EQ(open(*rpc, one_more), Code::kOverloaded);
  open_ones.pop_back();
  auto other = connect();
  const auto has_room = [&] { return open(*other, one_more) == Code::kOk; };
  bool room = false;
  for (const auto end = boot_ms() + kWaitMs; !room && boot_ms() < end;) room = has_room();
  EXPECT_TRUE(room) << "whoever lets go makes room";
  // A connection that goes takes its snapshots along.
  open_ones.clear();
  rpc.reset();
  std::vector<Snapshot> again(SnapshotExports::kMost - 1);
  for (auto& each : again) {
    room = false;
    for (const auto end = boot_ms() + kWaitMs; !room && boot_ms() < end;) {
      room = open(*other, each) == Code::kOk;
    }
    EXPECT_TRUE(room);
  }
  EXPECT_TRUE(summary_of(read_all(one_more)).is_ok()) << "the others are not concerned";
}

TEST_F(SnapshotExport, OnePartAtATime) {
  put("key", std::string(1'000'000, 'v'));
  put("key2", std::string(1'000'000, 'v'));
  auto rpc = connect();
  Snapshot snapshot;
  ASSERT_EQ(open(*rpc, snapshot), Code::kOk);
  KJ_IF_MAYBE (client, snapshot) {
    int failed = 0;
    auto first = client->readRequest().send().ignoreResult();
    auto second =
        client->readRequest().send().ignoreResult().catch_([&](kj::Exception&&) { ++failed; });
    EXPECT_TRUE(
        loop_.wait(first.then([s = kj::mv(second)]() mutable { return kj::mv(s); }), kWaitMs));
    EXPECT_EQ(failed, 1);
  }
}

}  // namespace
}  // namespace server
