// Requests that were slow or failed.
#include "server/request_traces.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/clock.h"
#include "server/node_view.h"

namespace server {
namespace {

using base::Index;
using base::MemberId;
using nlohmann::json;

std::string name_of(MemberId id) {
  return "n" + std::to_string(id.value);
}

EndedRequest seven() {
  EndedRequest request;
  request.began_us = 100, request.ended_us = 900;
  request.index = Index(7);
  return request;
}

TEST(SpansOfARequest, SayWhereItsEntryWaited) {
  EndedRequest request = seven();
  Timelines::Reached reached;
  reached.appended_us = 150, reached.durable_us = 300, reached.committed_us = 700;
  reached.applied_us = 880;
  reached.acknowledged_us = {{MemberId(2), 690}, {MemberId(3), 1200}};
  std::string text;
  for (const TraceSpan& span : spans_of(request, reached, name_of)) {
    text += span.name + " " + std::to_string(span.began_us) + ".." + std::to_string(span.ended_us) +
            "; ";
  }
  EXPECT_EQ(text,
            "append 100..150; log sync 150..300; n2 150..690; n3 150..900; commit 150..700; apply "
            "700..880; answer 880..900; ")
      << "what ends later ends with the request";
}

TEST(SpansOfARequest, EndWhereItGotStuck) {
  EndedRequest request = seven();
  Timelines::Reached reached;
  reached.appended_us = 150;
  const auto spans = spans_of(request, reached, name_of);
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[1].name, "log sync");
  EXPECT_EQ(spans[1].ended_us, 900u);
  EXPECT_EQ(spans[2].name, "commit");
  request.index = Index();
  EXPECT_TRUE(spans_of(request, reached, name_of).empty()) << "it has no entry";
}

class RequestTracesTest : public ::testing::Test {
 protected:
  RequestTracesTest() {
    config_.name = "n1";
    view_.config = &config_;
    view_.timelines = &timelines_;
  }
  void end(std::uint64_t trace, std::uint64_t took_us, base::Code code) {
    const std::uint64_t now_us = boot_us();
    EndedRequest request;
    request.trace = trace, request.kind = "write";
    request.began_us = now_us - took_us, request.ended_us = now_us;
    request.status = base::Status(code, "");
    traces_.ended(request);
  }
  std::vector<std::string> kept() const {
    std::vector<std::string> ids;
    const json all = json::parse(traces_.json());
    for (const auto& each : all["requests"]) ids.push_back(each["trace"]);
    return ids;
  }
  Config config_;
  Timelines timelines_;
  NodeView view_;
  RequestTraces traces_{view_};
};

TEST_F(RequestTracesTest, AreKeptIfSlowOrFailed) {
  end(1, RequestTraces::kSlowUs - 1000, base::Code::kOk);
  end(2, RequestTraces::kSlowUs, base::Code::kOk);
  end(3, 10, base::Code::kNotLeader);
  end(6, 10, base::Code::kNoLeader);
  end(4, 10, base::Code::kLeadershipLost);
  end(5, 10, base::Code::kInvalidArgument);
  EXPECT_EQ(kept(), (std::vector<std::string>{base::to_hex(2), base::to_hex(4)}));
}

TEST_F(RequestTracesTest, AreBounded) {
  for (std::uint64_t i = 1; i <= RequestTraces::kMost + 5; ++i) end(i, 10, base::Code::kTimeout);
  EXPECT_EQ(kept().size(), RequestTraces::kMost);
  EXPECT_EQ(kept().front(), base::to_hex(6));
}

}  // namespace
}  // namespace server
