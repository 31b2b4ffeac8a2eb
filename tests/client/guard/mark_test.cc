#include "client/guard/mark.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace client::guard {
namespace {

using base::Code;

class MarkTest : public testing::Test {
 protected:
  MarkTest() : folder_(testing::TempDir() + "holdfast-mark-" + std::to_string(getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~MarkTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string text(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  const std::string folder_;
};

TEST_F(MarkTest, ALowerTokenIsRefusedFromThenOn) {
  const Mark mark(path("mark"));
  EXPECT_EQ(mark.read().value(), 0u);
  EXPECT_TRUE(mark.admit(5).is_ok());
  EXPECT_TRUE(mark.admit(5).is_ok()) << "the holder comes again";
  EXPECT_TRUE(mark.admit(9).is_ok());
  EXPECT_EQ(mark.admit(5).status().code(), Code::kFenced);
  EXPECT_EQ(Mark(path("mark")).read().value(), 9u) << "kept on disk";
  EXPECT_EQ(Mark(path("mark")).admit(8).status().code(), Code::kFenced);
  EXPECT_EQ(mark.admit(0).status().code(), Code::kInvalidArgument);
}

TEST_F(MarkTest, ADamagedMarkAdmitsNobody) {
  const Mark mark(path("mark"));
  ASSERT_TRUE(mark.admit(5).is_ok());
  std::string whole = text("mark");
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(path("mark")) << damaged;
    EXPECT_EQ(mark.admit(100).status().code(), Code::kCorrupt) << at;
  }
  std::ofstream(path("mark")) << whole.substr(0, 10);
  EXPECT_EQ(mark.admit(100).status().code(), Code::kCorrupt);
  std::ofstream(path("mark")) << whole;
  EXPECT_TRUE(mark.admit(100).is_ok());
}

TEST_F(MarkTest, AFileIsReplacedOnlyByWhoIsAdmitted) {
  const Mark mark(path("mark"));
  ASSERT_TRUE(replace_file(mark, 3, path("file"), "three").is_ok());
  ASSERT_TRUE(replace_file(mark, 4, path("file"), "four").is_ok());
  EXPECT_EQ(replace_file(mark, 3, path("file"), "three again").code(), Code::kFenced);
  EXPECT_EQ(text("file"), "four");
}

TEST_F(MarkTest, TheCheckAndWhatFollowsAreOne) {
  // Many with rising tokens at once: whatever the order, what stands is of the highest that came.
  const Mark mark(path("mark"));
  std::vector<std::thread> threads;
  std::atomic<int> refused{0};
  for (std::uint64_t token = 1; token <= 8; ++token) {
    threads.emplace_back([&, token] {
      for (int i = 0; i < 20; ++i) {
        const auto status = replace_file(mark, token, path("file"), std::to_string(token));
        if (!status.is_ok()) ++refused;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(text("file"), "8");
  EXPECT_EQ(mark.read().value(), 8u);
}

TEST_F(MarkTest, AnotherProcessWaitsUntilTheFirstIsDone) {
  const Mark mark(path("mark"));
  auto first = std::make_unique<base::Result<Admitted>>(mark.admit(1));
  ASSERT_TRUE(first->is_ok());
  const pid_t child = fork();
  if (child == 0) _exit(Mark(path("mark")).admit(2).is_ok() ? 0 : 1);
  usleep(200'000);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WNOHANG), 0) << "it did not wait";
  EXPECT_EQ(mark.read().value(), 1u);
  first.reset();
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(mark.read().value(), 2u);
}

}  // namespace
}  // namespace client::guard
