// Replays every script of this folder and compares what happens with what is written there.
// GOLDEN_REWRITE=1 writes it anew: review the difference like code.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/golden/script.h"

namespace golden {
namespace {

std::vector<std::string> scripts() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(GOLDEN_FOLDER)) {
    if (file.path().extension() == ".txt" && file.path().stem() != "CMakeLists") {
      names.push_back(file.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, Replays) {
  const std::filesystem::path path = std::filesystem::path(GOLDEN_FOLDER) / (GetParam() + ".txt");
  std::ifstream in(path);
  std::stringstream expected;
  expected << in.rdbuf();
  const std::string actual = Script().replay(expected.str());
  if (std::getenv("GOLDEN_REWRITE") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(actual, expected.str()) << "GOLDEN_REWRITE=1 writes the script anew";
  EXPECT_EQ(actual, Script().replay(expected.str())) << "a second run differs";
}

INSTANTIATE_TEST_SUITE_P(Scripts, Golden, ::testing::ValuesIn(scripts()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Golden, AllTheScriptsAreHere) {
  EXPECT_GE(scripts().size(), 14u);
}

}  // namespace
}  // namespace golden
