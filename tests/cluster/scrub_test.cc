// A row of one member's state becomes another one, and its disk's checksums hold: only the others
// can tell. On real processes; the row is altered while the member is down.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "storage/rocks_engine.h"
#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

class Scrub : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(nodes_.holdfast({"put", "key" + std::to_string(i), "value"}).exit_code, 0);
    }
  }
  std::string member_directory(std::size_t i) { return nodes_.data_dir(i) + "/member"; }
  void alter(std::size_t i) {
    auto engine = storage::RocksEngine::open(member_directory(i) + "/state");
    ASSERT_TRUE(engine.is_ok()) << engine.status().to_string();
    auto row = engine.value()->get(kv::Space::kLatest, "key7");
    ASSERT_TRUE(row.is_ok() && row.value().has_value())
        << "the state was written when the member ended";
    std::string altered = *row.value();
    altered.back() = 'X';
    kv::EngineBatch batch;
    batch.put(kv::Space::kLatest, "key7", altered);
    ASSERT_TRUE(engine.value()->commit(batch).is_ok());
    ASSERT_TRUE(engine.value()->flush().is_ok());
  }
  std::string read_at(std::size_t i) {
    return run({holdfast_path(), "--endpoints", nodes_.client_address(i), "get", "key7",
                "--consistency", "s"})
        .out;
  }

  Nodes nodes_{3, {"--scrub-ms", "2000"}};
};

/// The leader is judged like any other.
TEST_P(Scrub, TheOddOneIsNamedGoesAndComesBackSound) {
  const bool is_leader = GetParam();
  std::size_t odd = nodes_.leader().value();
  if (!is_leader) odd = (odd + 1) % 3;
  ASSERT_EQ(nodes_.terminate(odd, 20000 * time_scale()), 0);
  alter(odd);
  nodes_.start(odd);
  ASSERT_TRUE(nodes_.wait_ready());
  EXPECT_EQ(read_at(odd), "valuX\n") << "nothing but a comparison shows it";
  if (is_leader) {
    ASSERT_EQ(nodes_.holdfast({"move-leader", nodes_.name(odd)}).exit_code, 0);
    EXPECT_EQ(nodes_.holdfast({"get", "key7"}).out, "valuX\n");
  }
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return !nodes_.runs(odd); }))
      << "it goes on with a wrong state";
  EXPECT_NE(nodes_.log(odd).find("keys 60..6f"), std::string::npos) << nodes_.log(odd);
  EXPECT_EQ(nodes_.holdfast({"get", "key7"}).out, "value\n") << "the others go on";
  // As a supervisor would.
  nodes_.start(odd);
  ASSERT_TRUE(nodes_.wait_ready());
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return read_at(odd) == "value\n"; }));
  std::ifstream reason(member_directory(odd) + "/discarded-state/REASON");
  std::string why;
  std::getline(reason, why);
  EXPECT_NE(why.find("is not that of 2 of 3 members: keys 60..6f"), std::string::npos) << why;
  EXPECT_FALSE(fs::exists(member_directory(odd) + "/DISCARD-STATE"));
  // And is found sound from now on.
  std::this_thread::sleep_for(std::chrono::seconds(5));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(nodes_.runs(i)) << i;
}

/// Its checksums do not hold, where nobody reads.
TEST(ScrubOfOne, AStateThatCannotBeReadWholeComesAnewToo) {
  Nodes nodes(3, {"--scrub-ms", "2000"});
  ASSERT_TRUE(nodes.wait_ready());
  for (int i = 0; i < 20; ++i) {
    std::string value;
    for (int n = 0; n < 2000; ++n) value += std::to_string(n * n * (i + 7));
    ASSERT_EQ(nodes.holdfast({"put", "key" + std::to_string(i), value}).exit_code, 0);
  }
  const std::size_t odd = (nodes.leader().value() + 1) % 3;
  const std::string member = nodes.data_dir(odd) + "/member";
  ASSERT_EQ(nodes.terminate(odd, 20000 * time_scale()), 0);
  fs::path largest;
  for (const auto& file : fs::directory_iterator(member + "/state")) {
    const bool rows = file.path().extension() == ".sst";
    if (rows && (largest.empty() || file.file_size() > fs::file_size(largest))) largest = file;
  }
  ASSERT_FALSE(largest.empty());
  {
    std::fstream rows(largest, std::ios::in | std::ios::out | std::ios::binary);
    rows.seekg(static_cast<std::streamoff>(fs::file_size(largest) / 4));
    const int byte = rows.get();
    rows.seekp(-1, std::ios::cur);
    rows.put(static_cast<char>(byte ^ 0x40));
  }
  nodes.start(odd);
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return !nodes.runs(odd); }));
  EXPECT_NE(nodes.log(odd).find("its state cannot be read whole"), std::string::npos)
      << nodes.log(odd);
  nodes.start(odd);
  ASSERT_TRUE(nodes.wait_ready());
  EXPECT_TRUE(fs::exists(member + "/discarded-state/REASON"));
  const auto keys = [&] {
    return run({holdfast_path(), "--endpoints", nodes.client_address(odd), "get", "key", "--prefix",
                "--count-only", "--consistency", "s"})
        .out;
  };
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return keys() == "20\n"; })) << keys();
}

INSTANTIATE_TEST_SUITE_P(OfAFollowerAndOfALeader, Scrub, testing::Bool());

}  // namespace
}  // namespace cluster
