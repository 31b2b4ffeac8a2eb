// Requests that members kept, put together.
#include "client/ctl/trace.h"

#include <gtest/gtest.h>

namespace client::ctl {
namespace {

using nlohmann::ordered_json;

HealthAnswer answer(const std::string& text) {
  return {"127.0.0.1:1", "", ordered_json::parse(text)};
}

std::vector<HealthAnswer> two_members() {
  return {answer(R"({"member":"n2","requests":[{"trace":"00000000000000ab","kind":"write",
            "at_ms":2000,"took_ms":512.5,"outcome":"ok","detail":"","term":3,"index":70,
            "spans":[{"name":"log sync","at_us":100,"took_us":500000},
                     {"name":"n1","at_us":100,"took_us":900}]}]})"),
          {"127.0.0.1:2", "no answer", {}},
          answer(R"({"member":"n1","requests":[{"trace":"00000000000000cd","kind":"read",
            "at_ms":1000,"took_ms":5000,"outcome":"timeout","detail":"not answered in time",
            "term":0,"index":0,"spans":[]}]})")};
}

TEST(Traces, AreOrderedByTimeAndFoundByTheirFirstDigits) {
  const auto all = requests_of(two_members(), "");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].member, "n1");
  EXPECT_EQ(all[1].spans.size(), 2u);
  EXPECT_EQ(requests_of(two_members(), "00000000000000a").size(), 1u);
  EXPECT_TRUE(requests_of(two_members(), "ff").empty());
}

TEST(Traces, SayWhereARequestWaited) {
  const std::string text = simple_traces(requests_of(two_members(), ""));
  EXPECT_NE(text.find("log sync 500 ms, n1 0.9 ms"), std::string::npos) << text;
  EXPECT_NE(text.find("not answered in time"), std::string::npos) << text;
  EXPECT_EQ(simple_traces({}), "no request was slow (100 ms) or failed\n");
}

TEST(Traces, ForAViewerHaveABeginAndAnEndEach) {
  const ordered_json chrome = chrome_of(requests_of(two_members(), ""));
  int begins = 0, ends = 0, processes = 0;
  for (const auto& event : chrome["traceEvents"]) {
    const std::string phase = event["ph"];
    begins += phase == "b";
    ends += phase == "e";
    processes += phase == "M";
    if (event["name"] == "log sync" && phase == "e") {
      EXPECT_EQ(event["ts"], 2000u * 1000 + 100 + 500000);
      EXPECT_EQ(event["id"], "0x00000000000000ab");
    }
  }
  EXPECT_EQ(begins, 4);
  EXPECT_EQ(ends, 4);
  EXPECT_EQ(processes, 2);
}

}  // namespace
}  // namespace client::ctl
