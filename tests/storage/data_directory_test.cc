#include "storage/data_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "kv/state_machine.h"
#include "storage/identity.h"
#include "tests/storage/log_host.h"

namespace storage_test {
namespace {

using base::ClusterId;
using base::Code;
using base::MemberId;
using base::Term;
using conformance::LogWriter;
using storage::DataDirectory;

class DataDirectoryTest : public testing::Test {
 protected:
  base::Result<std::unique_ptr<DataDirectory>> open(ClusterId cluster = ClusterId(1),
                                                    MemberId member = MemberId(2)) {
    return DataDirectory::open({.path = path(), .cluster = cluster, .member = member});
  }
  std::unique_ptr<DataDirectory> open_well() {
    auto directory = open();
    CHECK(directory.is_ok(), directory.status().to_string());
    return std::move(directory).value();
  }
  void expect_refused(Code code, const std::string& words, ClusterId cluster = ClusterId(1),
                      MemberId member = MemberId(2)) {
    auto directory = open(cluster, member);
    ASSERT_FALSE(directory.is_ok());
    EXPECT_EQ(directory.status().code(), code) << directory.status().to_string();
    EXPECT_NE(directory.status().detail().find(words), std::string::npos)
        << directory.status().detail();
    EXPECT_NE(directory.status().detail().find(path()), std::string::npos) << "names the path";
  }
  std::string path() const { return scratch_.path() + "/data"; }
  std::string member() const { return path() + "/member"; }

  conformance::ScratchDirectory scratch_;
};

TEST_F(DataDirectoryTest, MakesAPrivateDirectory) {
  open_well();
  for (const std::string& each : {path(), member(), member() + "/IDENTITY", member() + "/LOCK"}) {
    struct stat found {};
    ASSERT_EQ(::stat(each.c_str(), &found), 0) << each;
    EXPECT_EQ(found.st_mode & 077, 0u) << each;
  }
  EXPECT_EQ(read(member() + "/FORMAT"), "holdfast 1\n");
}

TEST_F(DataDirectoryTest, KeepsItsIncarnationAndRaisesItsEpoch) {
  const auto first = open_well()->log().identity();
  EXPECT_EQ(first.cluster, ClusterId(1));
  EXPECT_EQ(first.member, MemberId(2));
  auto again = open_well();
  EXPECT_EQ(again->log().identity(), first);
  EXPECT_EQ(again->log().opening().epoch, 2u);
}

TEST_F(DataDirectoryTest, IsOpenOnce) {
  auto held = open_well();
  expect_refused(Code::kLocked, "LOCK");
  held.reset();
  EXPECT_TRUE(open().is_ok());
}

TEST_F(DataDirectoryTest, BelongsToOneMemberOfOneCluster) {
  open_well();
  expect_refused(Code::kWrongCluster, "--cluster-token", ClusterId(9));
  expect_refused(Code::kWrongMember, "--name", ClusterId(1), MemberId(9));
  EXPECT_TRUE(open().is_ok());
}

TEST_F(DataDirectoryTest, ANewerFormatIsRefused) {
  open_well();
  write(member() + "/FORMAT", "holdfast 2\n");
  expect_refused(Code::kNewerFormat, "newer");
}

TEST_F(DataDirectoryTest, DamagedOrMissingSmallFilesAreRefused) {
  open_well();
  const std::string identity = read(member() + "/IDENTITY"), epoch = read(member() + "/EPOCH");
  for (std::size_t at = 0; at < identity.size(); ++at) {
    flip(member() + "/IDENTITY", at, 0);
    expect_refused(Code::kCorrupt, "IDENTITY");
    write(member() + "/IDENTITY", identity);
  }
  write(member() + "/EPOCH", "");
  expect_refused(Code::kCorrupt, "EPOCH");
  fs::remove(member() + "/EPOCH");
  expect_refused(Code::kCorrupt, "EPOCH");
  write(member() + "/EPOCH", epoch);
  write(member() + "/FORMAT", "something else");
  expect_refused(Code::kCorrupt, "FORMAT");
  fs::remove(member() + "/FORMAT");
  expect_refused(Code::kCorrupt, "FORMAT");
}

TEST_F(DataDirectoryTest, ALogWithoutIdentityIsNotANewDirectory) {
  {
    auto directory = open_well();
    LogWriter writer(directory->log());
    append(directory->log(), writer.vote(Term(1), MemberId(1)));
  }
  fs::remove(member() + "/IDENTITY");
  expect_refused(Code::kCorrupt, "IDENTITY is missing");
}

TEST_F(DataDirectoryTest, ACreationThatWasCutShortIsDoneAgain) {
  // Everything but the last step.
  open_well();
  fs::remove(member() + "/IDENTITY");
  EXPECT_EQ(open_well()->log().contents().quarantine, std::nullopt);
  // Hardly begun.
  fs::remove_all(path());
  fs::create_directories(member());
  EXPECT_EQ(open_well()->log().contents().quarantine, std::nullopt);
  EXPECT_EQ(open_well()->log().contents().quarantine, std::nullopt);
}

TEST_F(DataDirectoryTest, AMissingWatermarkIsAShortfall) {
  open_well();
  fs::remove(member() + "/watermark");
  EXPECT_NE(open_well()->log().contents().quarantine, std::nullopt);
}

TEST_F(DataDirectoryTest, WhoOpenedItLaterFencesTheLog) {
  auto directory = open_well();
  LogWriter writer(directory->log());
  append(directory->log(), writer.vote(Term(1), MemberId(1)));
  // Somebody else got past the lock, on another machine perhaps.
  ASSERT_TRUE(storage::write_opening(member(), {2, 99}).is_ok());
  const auto request = writer.append({"too late"});
  const base::Status status = directory->log().append({&request, 1});
  EXPECT_EQ(status.code(), Code::kLocked);
  EXPECT_EQ(directory->log().append({&request, 1}).code(), Code::kLocked) << "an error is final";
}

TEST_F(DataDirectoryTest, ADirectoryThatCannotBeMadeIsAnError) {
  write(scratch_.path() + "/data", "a file");
  auto directory = open();
  EXPECT_EQ(directory.status().code(), Code::kIo);
}

TEST_F(DataDirectoryTest, TheEngineSurvivesWithTheDirectory) {
  {
    auto directory = open_well();
    auto engine = directory->take_engine();
    kv::EngineBatch batch;
    batch.put(kv::Space::kLatest, "k", "v");
    ASSERT_TRUE(engine->commit(batch).is_ok());
  }
  auto directory = open_well();
  auto value = directory->take_engine()->get(kv::Space::kLatest, "k");
  EXPECT_EQ(value.value(), "v");
}

}  // namespace
}  // namespace storage_test
