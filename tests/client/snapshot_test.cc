// Fetching a snapshot file: all of it, as it was sent, or a plain failure.
#include <gtest/gtest.h>

#include "client/client.h"
#include "tests/client/fake_cluster.h"

namespace client {
namespace {

using base::Code;
using Trouble = FakeMember::Trouble;

class SnapshotFetch : public testing::Test {
 protected:
  SnapshotFetch() {
    member_.leads = true;
    member_.snapshot = {"one ", std::string(100'000, '2'), " three"};
  }
  base::Result<Header> fetch(Consistency consistency = Consistency::kLinearizable) {
    got_.clear();
    SnapshotRequest request;
    request.consistency = consistency;
    request.timeout_ms = 300;
    request.write = [this](std::string_view bytes) {
      got_ += bytes;
      return write_status_;
    };
    auto result = std::make_shared<base::Result<Header>>(base::Status(Code::kInternal, "no end"));
    EXPECT_TRUE(loop_.wait(
        snapshot(loop_, member_.address(), std::move(request)).then([result](auto&& header) {
          *result = std::move(header);
        }),
        10'000));
    return *result;
  }
  base::Status failure_with(Trouble trouble) {
    member_.snapshot_trouble = trouble;
    member_.snapshot_trouble_at = 1;
    return fetch().status();
  }

  net::Loop loop_;
  FakeState state_;
  FakeMember member_{loop_, state_, 1};
  std::string got_;
  base::Status write_status_;
};

TEST_F(SnapshotFetch, GivesEveryByteInOrder) {
  state_.revision = 5;
  const auto header = fetch();
  ASSERT_TRUE(header.is_ok()) << header.status().to_string();
  EXPECT_EQ(header.value().revision, base::Revision(5));
  EXPECT_EQ(got_, "one " + std::string(100'000, '2') + " three");
}

TEST_F(SnapshotFetch, ReadsLinearizablyFirstUnlessToldNotTo) {
  ASSERT_TRUE(fetch().is_ok());
  EXPECT_EQ(member_.reads, 1u);
  ASSERT_TRUE(fetch(Consistency::kSerializable).is_ok());
  EXPECT_EQ(member_.reads, 1u);
  // Whoever cannot tell what was acknowledged gives nothing, unless that is what was asked for.
  member_.leads = false;
  EXPECT_EQ(fetch().status().code(), Code::kNotLeader);
  EXPECT_EQ(got_, "");
  EXPECT_TRUE(fetch(Consistency::kSerializable).is_ok());
}

TEST_F(SnapshotFetch, AConnectionThatIsCutIsAPlainFailure) {
  const auto status = failure_with(Trouble::kDrop);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.detail().find("after 4 bytes"), std::string::npos) << status.to_string();
  EXPECT_NE(status.detail().find(member_.address()), std::string::npos);
}

TEST_F(SnapshotFetch, AMemberThatFallsSilentIsLeft) {
  const auto status = failure_with(Trouble::kHold);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.detail().find("no answer within"), std::string::npos) << status.to_string();
}

TEST_F(SnapshotFetch, AlteredBytesAreNotWritten) {
  EXPECT_EQ(failure_with(Trouble::kAlter).code(), Code::kCorrupt);
  EXPECT_EQ(got_, "one ");
}

TEST_F(SnapshotFetch, ARefusalInTheMiddleEndsIt) {
  const auto status = failure_with(Trouble::kRefuse);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.detail().find("as told"), std::string::npos);
}

TEST_F(SnapshotFetch, AFailedWriteEndsIt) {
  write_status_ = base::Status(Code::kDiskFull, "no room");
  EXPECT_EQ(fetch().status().code(), Code::kDiskFull);
  EXPECT_EQ(got_, "one ");
}

TEST_F(SnapshotFetch, NobodyThereIsAPlainFailure) {
  member_.stop();
  EXPECT_EQ(fetch().status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace client
