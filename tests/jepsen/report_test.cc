// Pages: whole, safe, and of nobody else's making; a suite that goes on where it was left.
#include "jepsen/report/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "jepsen/suite.h"
#include "tests/jepsen/histories.h"

namespace jepsen {
namespace {

namespace fs = std::filesystem;

class Report : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "holdfast-report-" + std::to_string(getpid());
    fs::create_directories(folder_ + "/logs");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::string page(const std::string& name = "index.html") const {
    std::ifstream file(folder_ + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string folder_;
};

TEST_F(Report, HasVerdictFaultsContradictionAndLogs) {
  write("logs/n1.log", "2026-11-30T17:17:05.647Z info n1: <b>listening</b>\n");
  History history = history_of(R"(
    {:process :harness, :type :info, :f :run, :value {:workload "register", :nemesis "kill",
     :nodes 3, :seed 7, :duration_ms 9000, :retries 0, :started_wall_ms 1796059024647}}
    {:process 0, :type :invoke, :f :write, :value [1 5], :time 1000000}
    {:process 0, :type :ok, :f :write, :value [1 5], :time 2000000}
    {:process :nemesis, :type :info, :f :begin, :time 3000000,
     :value {:number 1, :fault "kill", :targets "n1", :bound_ms 1500}}
    {:process :nemesis, :type :info, :f :proof, :time 4000000,
     :value {:number 1, :text "<script>gone</script>"}}
    {:process 1, :type :invoke, :f :read, :value [1 nil], :time 5000000}
    {:process 1, :type :ok, :f :read, :value [1 9], :time 6000000})");
  const Judgement judgement = check(history);
  ASSERT_EQ(judgement.verdict, Verdict::kInvalid);
  const base::Status written = write_report(folder_, history, judgement);
  ASSERT_TRUE(written.is_ok()) << written.to_string();
  const std::string html = page();
  for (const char* const part :
       {"register × kill, 3 nodes", "class=\"badge invalid\"", "a value was read that nobody wrote",
        "The contradiction: register", "aria-label=\"the contradiction\"", "&lt;script&gt;gone",
        "holdfast-jepsen run --workload register --nemesis kill --nodes 3 --seed 7", "--no-retries",
        "&lt;b&gt;listening", "</html>"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  for (const char* const part : {"<script", "http:", "https:", "<b>listening"})
    EXPECT_EQ(html.find(part), std::string::npos) << part;
}

TEST_F(Report, ASuiteGoesOnWhereItWasLeft) {
  for (const Cell& cell : cells_of("ci"))
    write(cell.name() + "/result.json",
          R"({"name":")" + cell.name() + R"(-1000","verdict":"valid","operations":12,"faults":3})");
  SuiteArguments how;
  how.name = "ci";
  how.out = folder_;
  how.resume = true;
  EXPECT_EQ(run_suite(how), 0) << "nothing is left to be run";
  EXPECT_NE(page().find("18 of 18 runs valid"), std::string::npos);
  EXPECT_NE(page().find("href=\"register-kill-3/index.html\""), std::string::npos) << page();
  write("set-membership+transfer+kill-3/result.json",
        R"({"name":"set-membership+transfer+kill-3","verdict":"unknown","why":"too little"})");
  EXPECT_EQ(run_suite(how), 1) << "what was not valid stays so";
  EXPECT_NE(page().find("too little"), std::string::npos);
}

}  // namespace
}  // namespace jepsen
