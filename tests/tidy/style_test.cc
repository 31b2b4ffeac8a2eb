// Each rule is broken once, and sees it; what only looks like a breach passes.
#include "tests/tidy/style.h"

#include <gtest/gtest.h>

namespace tidy {
namespace {

std::size_t banned(const std::string& path, const std::string& code) {
  return check_banned_calls({path, code}).size();
}

TEST(BannedCalls, EachKindIsSeenInThePureFolders) {
  for (const char* code :
       {"auto now = std::chrono::steady_clock::now();", "clock_gettime(CLOCK_BOOTTIME, &t);",
        "std::random_device device;", "int x = rand();", "std::thread t;", "#include <thread>",
        "std::this_thread::yield();", "std::mutex mutex_;", "std::lock_guard guard(m);",
        "std::condition_variable ready;", "std::atomic<int> n;", "usleep(5);",
        "std::ifstream file(path);", "FILE* f = fopen(path, \"r\");", "std::filesystem::path p;",
        "const char* v = std::getenv(name);", "spdlog::info(1);", "std::printf(\"x\");",
        "std::cerr << 1;"})
    for (const char* folder : {"raft/", "kv/", "health/"})
      EXPECT_GE(banned(std::string(folder) + "x.cc", code), 1u) << folder << ": " << code;
}

TEST(BannedCalls, WordsInCommentsAndTextAreNotCalls) {
  EXPECT_EQ(banned("raft/x.cc", "// sleeps, locks a mutex, reads std::chrono\n"), 0u);
  EXPECT_EQ(banned("raft/x.cc", "/* std::thread\n std::mutex */ int operand = 1'000'000;\n"), 0u);
  EXPECT_EQ(banned("raft/x.cc", "CHECK(false, \"std::mutex, fopen(\");\n"), 0u);
  EXPECT_EQ(banned("kv/x.cc", "auto s = R\"(std::thread)\"; char q = '\"'; // fopen(\n"), 0u);
  EXPECT_EQ(banned("kv/x.cc", "char q = '\"'; std::mutex m;\n"), 1u) << "after a quoted quote";
  EXPECT_EQ(banned("raft/x.cc", "base::Random random; entry.clocked = operand(1);\n"), 0u);
}

TEST(BannedCalls, ThreadsAreMadeInMainAndInTestsOnly) {
  const std::string code = "std::thread worker(run);\n";
  EXPECT_EQ(banned("server/node.cc", code), 1u);
  EXPECT_EQ(banned("client/client.cc", "auto f = std::async(run);\n"), 1u);
  EXPECT_EQ(banned("server/main.cc", code), 0u);
  EXPECT_EQ(banned("tests/server/node_test.cc", code), 0u);
  EXPECT_EQ(banned("storage/faults.cc", "std::this_thread::sleep_for(t);\n"), 0u);
}

std::string lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += "  f(1);\n";
  return text;
}
std::size_t oversized(const std::string& text) {
  return check_sizes({"raft/x.cc", text}).size();
}

TEST(Sizes, AFileOf801LinesIsSeen) {
  EXPECT_EQ(oversized(lines(kFileLines)), 0u);
  EXPECT_EQ(oversized(lines(kFileLines + 1)), 1u);
}

TEST(Sizes, AFunctionOf71LinesIsSeenInEveryForm) {
  const std::string just = lines(kFunctionLines - 2), over = lines(kFunctionLines - 1);
  for (const char* head :
       {"void f() {\n", "int A::f(int a,\n  int b) const {\n", "A::A() : a_{1}, b_(2), c_{3} {\n",
        "namespace n {\nclass A : public B {\n public:\n  void f() override {\n",
        "template <class T>\nvoid f(T t) {\n", "TEST(A, b) {\n", "#include <a>\nint f() {\n",
        "const auto f = [](int x) {\n", "struct { int a; } x = {1};\nvoid f() noexcept {\n"}) {
    EXPECT_EQ(oversized(head + just + "}\n"), 0u) << head;
    EXPECT_EQ(oversized(head + over + "}\n"), 1u) << head;
  }
}

TEST(Sizes, AClassANamespaceAndATableMayBeLong) {
  std::string members, rows;
  for (int i = 0; i < 100; ++i) members += "  int f();\n";
  for (int i = 0; i < 100; ++i) rows += "  {\"row\", f(1)},\n";
  EXPECT_EQ(oversized("class A final : public B {\n" + members + "};\n"), 0u);
  EXPECT_EQ(oversized("namespace a {\n" + members + "}\n"), 0u);
  EXPECT_EQ(oversized("constexpr Row kRows[] = {\n" + rows + "};\n"), 0u);
  EXPECT_EQ(oversized("void f() {\n}\n" + members + "void g() {\n}\n"), 0u) << "two short ones";
}

TEST(Sizes, BracesInTextCountForNothing) {
  EXPECT_EQ(oversized("void f() {\n g(\"{\"); // {\n h('{');\n}\n" + lines(100)), 0u);
}

TEST(Form, HeadersAndSources) {
  EXPECT_EQ(check_form({"raft/a.h", "// What.\n#pragma once\n"}, false).size(), 0u);
  EXPECT_EQ(check_form({"raft/a.h", "// What.\n#ifndef A\n"}, false).size(), 1u);
  EXPECT_EQ(check_form({"raft/a.h", "\n#pragma once\n"}, false).size(), 1u);
  EXPECT_EQ(check_form({"raft/a.cc", "#include \"raft/a.h\"\n#include <a>\n"}, true).size(), 0u);
  EXPECT_EQ(check_form({"raft/a.cc", "#include <a>\n#include \"raft/a.h\"\n"}, true).size(), 1u);
  EXPECT_EQ(check_form({"raft/a.cc", "#include <a>\n"}, false).size(), 0u);
}

TEST(Names, EmptyWordsAreSeenInTypesAndFiles) {
  for (const char* code : {"class SessionManager {", "struct TestHelper final {",
                           "enum class Util {", "namespace common {"})
    EXPECT_EQ(check_names({"kv/x.cc", code}).size(), 1u) << code;
  for (const char* path : {"kv/util.h", "kv/string_helper.cc", "common/x.h"})
    EXPECT_EQ(check_names({path, ""}).size(), 1u) << path;
  EXPECT_EQ(check_names({"kv/utility.h", "rocksdb::WriteBufferManager* m; // class Helper"}).size(),
            0u)
      << "other people's names, and words that only begin alike";
}

TEST(Marks, UnfinishedWorkAndMachinesAreSeen) {
  const std::vector<std::string> wrong = {
      "// TO"
      "DO: later",
      "FIX"
      "ME",
      "see /ho"
      "me/me/x",
      "path=/wo"
      "rk/x",
      "\"/ro"
      "ot/x\""};
  for (const auto& text : wrong) EXPECT_EQ(check_marks({"docs/x.md", text}).size(), 1u) << text;
  EXPECT_EQ(check_marks({"docs/x.md", "a/home/b, $HOME/.local, https://x.org/root/y"}).size(), 0u);
}

TEST(Mirror, ATestStandsWhereItsSubjectDoes) {
  const std::vector<Source> tree = {{"kv/row.cc", ""}, {"client/ctl/print.cc", ""}};
  EXPECT_EQ(check_mirror({"tests/kv/row_test.cc", ""}, tree).size(), 0u);
  EXPECT_EQ(check_mirror({"tests/client/ctl/print_test.cc", ""}, tree).size(), 0u);
  EXPECT_EQ(check_mirror({"tests/cluster/kill_test.cc", ""}, tree).size(), 0u);
  EXPECT_EQ(check_mirror({"tests/engine/row_test.cc", ""}, tree).size(), 1u);
}

}  // namespace
}  // namespace tidy
