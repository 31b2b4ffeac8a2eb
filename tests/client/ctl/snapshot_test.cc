// The file of `snapshot save`: under its name only when it is whole.
#include "client/ctl/snapshot.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace client::ctl {
namespace {

namespace fs = std::filesystem;

class PartialFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "holdfast-partial-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path() const { return folder_ + "/a.snap"; }
  std::string text() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string folder_;
};

TEST_F(PartialFiles, AppearWhenTheyAreCommitted) {
  PartialFile file(path());
  ASSERT_TRUE(file.open().is_ok());
  ASSERT_TRUE(file.write("thrown away").is_ok());
  ASSERT_TRUE(file.open().is_ok()) << "another member is asked";
  ASSERT_TRUE(file.write("one ").is_ok());
  ASSERT_TRUE(file.write("two").is_ok());
  EXPECT_FALSE(fs::exists(path()));
  EXPECT_TRUE(fs::exists(path() + ".partial"));
  ASSERT_TRUE(file.commit().is_ok());
  EXPECT_EQ(text(), "one two");
  EXPECT_FALSE(fs::exists(path() + ".partial"));
  EXPECT_EQ(fs::status(path()).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(PartialFiles, LeaveNothingOtherwiseAndWhatWasThereStays) {
  std::ofstream(path()) << "an older one";
  {
    PartialFile file(path());
    ASSERT_TRUE(file.open().is_ok());
    ASSERT_TRUE(file.write("half").is_ok());
  }
  EXPECT_EQ(text(), "an older one");
  EXPECT_FALSE(fs::exists(path() + ".partial"));
}

TEST_F(PartialFiles, SayWhatCannotBeWritten) {
  PartialFile file(folder_ + "/missing/a.snap");
  const auto status = file.open();
  ASSERT_FALSE(status.is_ok());
  EXPECT_NE(status.detail().find("/missing/a.snap"), std::string::npos);
  EXPECT_EQ(base::traits(status.code()).exit_code, kExitFailure) << "definite";
}

}  // namespace
}  // namespace client::ctl
