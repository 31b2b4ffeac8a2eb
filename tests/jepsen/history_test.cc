// Histories in both forms, and what is refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "jepsen/history/edn.h"
#include "jepsen/history/files.h"
#include "jepsen/history/json_lines.h"
#include "tests/jepsen/histories.h"

namespace jepsen {
namespace {

TEST(Edn, IsReadAndWritten) {
  EdnReader reader(R"(; a comment
    [nil true -5 1.5 "a \"b\"" :word #{1 2} {:k [1, 2]}] (3))");
  ASSERT_TRUE(reader.more());
  const auto all = reader.next();
  ASSERT_TRUE(all.is_ok()) << all.status().to_string();
  EXPECT_EQ(to_edn(all.value()), R"([nil true -5 1.500000 "a \"b\"" :word [1 2] {:k [1 2]}])");
  ASSERT_TRUE(reader.more());
  EXPECT_EQ(to_edn(reader.next().value()), "[3]");
  EXPECT_FALSE(reader.more());
}

TEST(Edn, WhatIsNoneIsAnError) {
  for (const char* const text : {"[1 2", "{:a}", "\"open", "]", "#"}) {
    EdnReader reader(text);
    ASSERT_TRUE(reader.more());
    EXPECT_FALSE(reader.next().is_ok()) << text;
  }
  std::string deep(1000, '[');
  EdnReader reader(deep);
  EXPECT_FALSE(reader.next().is_ok());
}

TEST(Json, AndEdnHoldTheSame) {
  const auto json = from_json(R"({"a":[1,null,true,"x"],"b":{"c":-1}})");
  ASSERT_TRUE(json.is_ok());
  EXPECT_EQ(to_edn(json.value()), R"({:a [1 nil true "x"], :b {:c -1}})");
  EXPECT_EQ(to_json(json.value()), R"({"a":[1,null,true,"x"],"b":{"c":-1}})");
  EXPECT_FALSE(from_json("{\"a\":").is_ok());
}

TEST(Histories, WhatIsOutOfOrderIsRefused) {
  const auto add = [](HistoryBuilder& builder, const std::string& edn) {
    EdnReader reader(edn);
    return builder.add(to_event(reader.next().value()).value());
  };
  HistoryBuilder builder;
  EXPECT_FALSE(add(builder, "{:process 0, :type :ok, :f :read, :value 1}").is_ok());
  EXPECT_TRUE(add(builder, "{:process 0, :type :invoke, :f :read, :value nil}").is_ok());
  EXPECT_FALSE(add(builder, "{:process 0, :type :invoke, :f :read, :value nil}").is_ok());
  EXPECT_FALSE(add(builder, "{:process 0, :type :ok, :f :write, :value 1}").is_ok());
  EXPECT_FALSE(add(builder, "{:process 1, :type :invoke, :f :fly, :value 1}").is_ok());
}

class HistoryFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "holdfast-jepsen-" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string read(const std::string& name) {
    std::ifstream file(folder_ + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string folder_;
};

const char* const kLines =
    R"({"index":0,"time":5,"process":"harness","type":"info","f":"run","value":{"workload":"register"}}
{"index":1,"time":10,"process":0,"type":"invoke","f":"write","value":[7,101]}
{"index":2,"time":20,"process":"nemesis","type":"info","f":"begin","value":{"number":1,"fault":"kill"}}
{"index":3,"time":30,"process":0,"type":"info","f":"write","value":[7,101],"error":"timeout"}
{"index":4,"time":40,"process":1,"type":"invoke","f":"read","value":[7,null]}
{"index":5,"time":50,"process":1,"type":"ok","f":"read","value":[7,101],"node":"n2","revision":6,"term":2,"at":[6]}
)";

TEST_F(HistoryFiles, AreExportedForOthers) {
  const std::string path = write("history.jsonl", kLines);
  const auto written = export_history(path);
  ASSERT_TRUE(written.is_ok()) << written.status().to_string();
  EXPECT_EQ(written.value(), 3u);
  EXPECT_NE(
      read("history.edn")
          .find(R"({:index 1, :time 10, :process 0, :type :invoke, :f :write, :value [7 101]})"),
      std::string::npos);
  EXPECT_NE(read("history.edn").find(":process :nemesis"), std::string::npos);
  // One bare register, which begins with a write of what stands for nothing.
  EXPECT_EQ(read("keys/7.edn")
                .find("{:index 0, :time 0, :process 0, :type :invoke, :f :write, :value -1}"),
            0u);
  EXPECT_NE(read("keys/7.edn").find(":f :read, :value 101"), std::string::npos);
  EXPECT_NE(
      read("calls.jsonl")
          .find(
              R"({"client":1,"input":{"f":"read","value":[7,null]},"call":40,"output":[7,101],"return":50})"),
      std::string::npos);
  EXPECT_NE(read("calls.jsonl").find(R"("call":10,"output":null,"return":null})"),
            std::string::npos);
  // What was exported is the same history.
  const auto json = read_history(path), edn = read_history(folder_ + "/history.edn");
  ASSERT_TRUE(json.is_ok() && edn.is_ok());
  ASSERT_EQ(json->operations.size(), edn->operations.size());
  EXPECT_EQ(edn->operations[1].revision, 6u);
  EXPECT_EQ(edn->notes.size(), 2u);
}

TEST_F(HistoryFiles, OfAHarnessThatDiedIsRead) {
  const std::string cut = std::string(kLines).substr(0, std::string(kLines).size() - 30);
  const auto history = read_history(write("history.jsonl", cut));
  ASSERT_TRUE(history.is_ok()) << history.status().to_string();
  ASSERT_EQ(history->operations.size(), 2u);
  EXPECT_EQ(history->operations[1].end, End::kUnknown);
  EXPECT_FALSE(history->ended);
  History copy = history.value();
  EXPECT_NE(check(copy).verdict, Verdict::kValid);
}

TEST_F(HistoryFiles, DamageInTheMiddleIsAnError) {
  std::string text = kLines;
  text[text.find("invoke")] = 'X';
  const auto history = read_history(write("history.jsonl", text));
  ASSERT_FALSE(history.is_ok());
  EXPECT_NE(history.status().detail().find("history.jsonl:2"), std::string::npos);
  EXPECT_FALSE(read_history(folder_ + "/none").is_ok());
}

}  // namespace
}  // namespace jepsen
