// Damage to the log of a stopped node: a torn tail that nobody was told of starts; synced data that
// is lost or altered is noticed, and the node gives up its vote and says so, until the others have
// made it whole. What each single byte does is tried in tests/storage.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

/// The log's write-ahead files, oldest first.
std::vector<fs::path> wal_files(const std::string& data_dir) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(data_dir + "/member/log"))
    if (entry.path().extension() == ".log") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Bytes up to the last one that is not zero: files may be preallocated.
std::size_t used_bytes(const std::string& bytes) {
  const auto last = bytes.find_last_not_of('\0');
  return last == std::string::npos ? 0 : last + 1;
}

void overwrite(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// A cluster that was written to; then one follower is killed, its log damaged, and it starts
/// again.
class Damage : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    Writers writers({.endpoints = nodes_.endpoints()});
    ASSERT_TRUE(wait_until(20000 * time_scale(), [&] { return writers.acknowledged() >= 500; }));
    writers.stop();
    history_ = writers.history();
    const auto leader = nodes_.leader();
    ASSERT_TRUE(leader.has_value());
    victim_ = (*leader + 1) % nodes_.size();
    ASSERT_TRUE(wait_until(10000 * time_scale(), [&] { return has_everything(*leader); }));
    nodes_.kill(victim_);
    const auto files = wal_files(nodes_.data_dir(victim_));
    ASSERT_FALSE(files.empty());
    newest_ = files.back();
    bytes_ = read_file(newest_);
    used_ = used_bytes(bytes_);
    ASSERT_GT(used_, 10'000u);
  }

  bool has_everything(std::size_t leader) {
    const auto theirs = nodes_.status(victim_), ours = nodes_.status(leader);
    return theirs && ours && theirs->durable == ours->last && ours->last.value > 100;
  }
  void restart() { nodes_.start(victim_); }

  void expect_well() {
    restart();
    EXPECT_TRUE(nodes_.wait_ready());
    const auto status = nodes_.status(victim_);
    ASSERT_TRUE(status.has_value());
    EXPECT_FALSE(status->quarantined) << status->reason;
    expect_that_the_cluster_goes_on();
  }

  /// With one of the two sound ones down nobody can make it whole, and it is no majority with the
  /// other.
  void expect_quarantine() {
    const std::set<std::string> before = evidence();
    nodes_.kill(other());
    restart();
    std::optional<client::MemberStatus> status;
    const bool answers = wait_until(15000 * time_scale(), [&] {
      status = nodes_.status(victim_);
      return status.has_value() || !nodes_.runs(victim_);
    });
    ASSERT_TRUE(answers && status.has_value()) << "it should run, and say what it lost";
    EXPECT_TRUE(status->quarantined);
    EXPECT_FALSE(status->reason.empty());
    EXPECT_NE(nodes_.log(victim_).find("quarantined"), std::string::npos);
    const Page ready = http_get(nodes_.http_port(victim_), "/readyz");
    EXPECT_EQ(ready.code, 503);
    EXPECT_NE(ready.body.find("[-]quarantine failed: "), std::string::npos) << ready.body;
    const auto lives = [&] { return http_get(nodes_.http_port(victim_), "/livez").code == 200; };
    EXPECT_TRUE(wait_until(5000 * time_scale(), lives)) << "its loop turns, whatever it lost";
    EXPECT_GT(evidence().size(), before.size()) << "what was found is kept";
    expect_that_people_are_told();
    const Ended put = nodes_.holdfast({"put", "without", "majority"});
    EXPECT_TRUE(put.exit_code == 4 || put.exit_code == 5) << put.exit_code;
    restart_and_expect_that_it_remembers();
    expect_repair();
  }

  std::size_t other() const { return (victim_ + 1) % nodes_.size(); }

  /// Both others are back, and people write: it counts again, and what it lost is there.
  void expect_repair() {
    Writers writers({.endpoints = nodes_.endpoints(), .prefix = "later/"});
    nodes_.start(other());
    const auto well = [&] {
      const auto now = nodes_.status(victim_);
      return now && now->ready && !now->quarantined;
    };
    EXPECT_TRUE(wait_until(20000 * time_scale(), well)) << "nobody repairs it";
    writers.stop();
    EXPECT_NE(nodes_.log(victim_).find("quarantine-ended"), std::string::npos);
    expect_that_the_cluster_goes_on();
    nodes_.kill(other());
    expect_that_the_cluster_goes_on();
    for (const auto& wrong : compare_with_cluster(writers.history(), "later/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
  }

  /// The files that were kept for people to look at.
  std::set<std::string> evidence() const {
    std::set<std::string> files;
    std::error_code none;
    for (fs::recursive_directory_iterator
             entry(nodes_.data_dir(victim_) + "/member/evidence", none),
         end;
         !none && entry != end; entry.increment(none))
      if (entry->is_regular_file()) files.insert(entry->path());
    return files;
  }

  void expect_that_people_are_told() {
    const Ended told = nodes_.holdfast({"status", "-w", "json"});
    const auto document = nlohmann::json::parse(told.out, nullptr, false);
    ASSERT_FALSE(document.is_discarded()) << told.out << told.err;
    for (const auto& member : document["members"]) {
      if (member["name"] == nodes_.name(other())) continue;  // it is down
      const bool damaged = member["name"] == nodes_.name(victim_);
      EXPECT_EQ(member["quarantined"].get<bool>(), damaged) << told.out;
      EXPECT_TRUE(!damaged || member["reason"] != "") << told.out;
    }
  }

  void expect_that_the_cluster_goes_on() {
    // The two others may be about to elect.
    Ended put;
    (void)wait_until(20000 * time_scale(), [&] {
      put = nodes_.holdfast({"put", "after", "damage"});
      return put.exit_code == 0;
    });
    EXPECT_EQ(put.exit_code, 0) << put.err;
    EXPECT_EQ(nodes_.holdfast({"get", "after"}).out, "damage\n");
    for (const auto& wrong : compare_with_cluster(history_, "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
  }

  void restart_and_expect_that_it_remembers() {
    nodes_.kill(victim_);
    restart();
    std::optional<client::MemberStatus> status;
    ASSERT_TRUE(wait_until(15000 * time_scale(), [&] {
      status = nodes_.status(victim_);
      return status.has_value();
    }));
    EXPECT_TRUE(status->quarantined) << "a restart heals nothing";
  }

  Nodes nodes_{3};
  std::size_t victim_ = 0;
  History history_;
  fs::path newest_;
  std::string bytes_;  // of the newest file
  std::size_t used_ = 0;
};

TEST_F(Damage, NoneIsNoAlarm) {
  expect_well();
}

TEST_F(Damage, ATornTailThatWasNeverSyncedStarts) {
  base::Random random(7);
  std::string torn = bytes_.substr(0, used_);
  for (int i = 0; i < 300; ++i) torn.push_back(static_cast<char>(random.below(255) + 1));
  overwrite(newest_, torn);
  expect_well();
}

TEST_F(Damage, AByteThatRottedIsNoticedAndRepaired) {
  bytes_[used_ / 2] = static_cast<char>(bytes_[used_ / 2] ^ 0x20);
  overwrite(newest_, bytes_);
  expect_quarantine();
}

TEST_F(Damage, AZeroedBlockIsNoticedAndRepaired) {
  const std::size_t block = used_ / 2 / 4096 * 4096;
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(block), 4096, '\0');
  overwrite(newest_, bytes_);
  expect_quarantine();
}

TEST_F(Damage, ATruncatedFileIsNoticedAndRepaired) {
  overwrite(newest_, bytes_.substr(0, used_ / 2));
  expect_quarantine();
}

TEST_F(Damage, AMissingFileIsNoticedAndRepaired) {
  fs::remove(newest_);
  expect_quarantine();
}

TEST_F(Damage, AMissingWatermarkIsNoticedAndRepaired) {
  ASSERT_TRUE(fs::remove(nodes_.data_dir(victim_) + "/member/watermark"));
  expect_quarantine();
}

}  // namespace
}  // namespace cluster
