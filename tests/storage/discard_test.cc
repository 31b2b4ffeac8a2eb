// A state that is to be put aside is so, whatever cuts that short.
#include "storage/discard.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "storage/files.h"
#include "tests/conformance/scratch.h"

namespace storage {
namespace {

namespace fs = std::filesystem;

class Discard : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return scratch_.path() + "/" + name; }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
  }
  std::string read(const std::string& name) const { return read_file(path(name))->value_or("-"); }
  void discard() { ASSERT_TRUE(discard_marked_state(scratch_.path()).is_ok()); }

  conformance::ScratchDirectory scratch_;
};

TEST_F(Discard, WithoutAMarkNothingHappens) {
  write("state/rows", "sound");
  discard();
  EXPECT_EQ(read("state/rows"), "sound");
  EXPECT_FALSE(fs::exists(path("discarded-state")));
}

TEST_F(Discard, AMarkedStateIsPutAsideWithItsReasonInPlaceOfAnOlderOne) {
  write("state/rows", "wrong");
  write("discarded-state/rows", "older");
  ASSERT_TRUE(mark_state_for_discard(scratch_.path(), "it differs").is_ok());
  discard();
  EXPECT_FALSE(fs::exists(path("state")));
  EXPECT_EQ(read("discarded-state/rows"), "wrong");
  EXPECT_EQ(read("discarded-state/REASON"), "it differs\n");
  EXPECT_FALSE(fs::exists(path("DISCARD-STATE")));
  write("state/rows", "new");
  discard();
  EXPECT_EQ(read("state/rows"), "new") << "once";
}

TEST_F(Discard, GoesOnAfterACrashBetweenTwoSteps) {
  // The older one was removed, and then the process ended.
  write("state/rows", "wrong");
  ASSERT_TRUE(mark_state_for_discard(scratch_.path(), "why").is_ok());
  discard();
  EXPECT_EQ(read("discarded-state/rows"), "wrong");
  // It was renamed, and the mark was still there.
  ASSERT_TRUE(mark_state_for_discard(scratch_.path(), "why").is_ok());
  discard();
  EXPECT_EQ(read("discarded-state/rows"), "wrong") << "what is aside is not thrown away";
  EXPECT_EQ(read("discarded-state/REASON"), "why\n");
  EXPECT_FALSE(fs::exists(path("DISCARD-STATE")));
}

}  // namespace
}  // namespace storage
