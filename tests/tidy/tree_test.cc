// The rules over the tree as it is.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/tidy/layers.h"
#include "tests/tidy/style.h"

namespace tidy {
namespace {

const std::vector<Source>& tree() {
  static const std::vector<Source> kTree = read_tree(SOURCE_ROOT);
  return kTree;
}

/// The snippets of tests/tidy are wrong on purpose.
bool is_planted(const Source& source) {
  return source.path.starts_with("tests/tidy/") && source.path.ends_with("_test.cc");
}

void expect_none(const Complaints& complaints) {
  for (const auto& complaint : complaints) ADD_FAILURE() << complaint;
}

void expect_each(const std::function<Complaints(const Source&)>& check) {
  for (const auto& source : tree())
    if (!is_planted(source)) expect_none(check(source));
}

TEST(Tree, IsAllThere) {
  std::set<std::string> folders;
  for (const auto& source : tree()) folders.insert(source.path.substr(0, source.path.find('/')));
  for (const char* folder : {"base", "raft", "kv", "schema", "storage", "net", "server", "client",
                             "tests", "scripts", "docs"})
    EXPECT_TRUE(folders.contains(folder)) << folder;
  EXPECT_GT(tree().size(), 200u);
  EXPECT_FALSE(folders.contains("build"));
}

TEST(Tree, IncludesFollowTheArrows) {
  expect_each(check_includes);
}

TEST(Tree, LinkListsFollowTheArrows) {
  expect_none(check_links(tree()));
}

TEST(Tree, NothingBannedIsCalled) {
  expect_each(check_banned_calls);
}

TEST(Tree, FilesAndFunctionsAreShort) {
  expect_each(check_sizes);
}

TEST(Tree, HeadersAndSourcesHaveTheirForm) {
  std::set<std::string> paths;
  for (const auto& source : tree()) paths.insert(source.path);
  expect_each([&](const Source& source) {
    const std::string stem = source.path.substr(0, source.path.rfind('.'));
    return check_form(source, paths.contains(stem + ".h"));
  });
}

TEST(Tree, NamesSayWhatTheyName) {
  expect_each(check_names);
}

TEST(Tree, NothingIsLeftUnfinishedOrTiedToAMachine) {
  expect_each(check_marks);
}

TEST(Tree, TestsMirrorTheTree) {
  expect_each([](const Source& source) { return check_mirror(source, tree()); });
}

}  // namespace
}  // namespace tidy
