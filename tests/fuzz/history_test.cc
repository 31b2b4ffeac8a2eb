// Recorded histories, damaged: read as something, or refused, and never more.
#include <gtest/gtest.h>

#include "base/random.h"
#include "jepsen/check/check.h"
#include "jepsen/history/edn.h"
#include "jepsen/history/json_lines.h"

namespace jepsen {
namespace {

const char* const kJson[] = {
    R"({"index":1,"time":10,"process":0,"type":"invoke","f":"write","value":[7,101]})",
    R"({"index":2,"time":11,"process":0,"type":"ok","f":"write","value":[7,101],"revision":1})",
    R"({"index":3,"time":12,"process":1,"type":"invoke","f":"txn","value":[["append",3,5],["r",4,null]]})",
    R"({"index":4,"time":13,"process":1,"type":"ok","f":"txn","value":[["append",3,5],["r",4,[1,2]]],"at":[4]})",
    R"({"index":5,"time":14,"process":"feed","type":"info","f":"feed","value":{"end":3,"changes":[[1,7,101]],"others":[2]}})",
    R"({"index":6,"time":15,"process":"watch-1","type":"info","f":"batch","value":{"previous":0,"revision":3,"events":[[1,0,7,101,-1]]}})",
    R"({"index":7,"time":16,"process":"nemesis","type":"info","f":"begin","value":{"number":1,"fault":"kill","targets":"n1","bound_ms":5}})",
    R"({"index":8,"time":17,"process":"resolver","type":"info","f":"resolve","value":{"invoke":1,"applied":1},"revision":1})",
    R"({"index":9,"time":18,"process":"holder-1","type":"info","f":"acquired","value":{"lock":1,"token":9}})",
    R"({"index":10,"time":19,"process":2,"type":"invoke","f":"members","value":null})",
    R"({"index":11,"time":20,"process":2,"type":"ok","f":"members","value":[1,2,3]})"};
const char* const kEdn =
    "[{:process 0, :type :invoke, :f :cas, :value [1 [2 3]], :time 5}\n"
    " {:process 0 :type :ok :f :cas :value [1 [2 3]] :error \"x\\\"y\"} ; a comment\n"
    " #{1 2.5 nil true} (a b)]";

std::string damaged(std::string text, base::Random& random) {
  const std::uint64_t times = random.between(1, 4);
  for (std::uint64_t i = 0; i < times && !text.empty(); ++i) {
    const std::size_t at = random.below(text.size());
    switch (random.below(4)) {
      case 0:
        text[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        text.erase(at, random.between(1, 8));
        break;
      case 2:
        text.insert(at, text.substr(random.below(text.size()), random.between(1, 12)));
        break;
      default:
        text.insert(at, random.chance(2) ? "-9223372036854775808" : "99999999999");
    }
  }
  return text;
}

TEST(FuzzHistories, DamagedJsonLines) {
  base::Random random(1);
  std::size_t read = 0;
  for (int i = 0; i < 20'000; ++i) {
    HistoryBuilder builder;
    for (const char* const line : kJson) {
      const auto value = from_json(random.chance(4) ? damaged(line, random) : line);
      if (!value.is_ok()) continue;
      EXPECT_TRUE(from_json(to_json(value.value())).is_ok());
      auto event = to_event(value.value());
      if (event.is_ok()) read += builder.add(std::move(event).value()).is_ok() ? 1 : 0;
    }
    History history = builder.take();
    EXPECT_NE(name_of(check(history).verdict), nullptr);
  }
  EXPECT_GT(read, 100'000u);
}

TEST(FuzzHistories, DamagedEdn) {
  base::Random random(2);
  std::size_t read = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string text = damaged(kEdn, random);
    EdnReader reader(text);
    reader.enter();
    while (reader.more()) {
      const auto value = reader.next();
      if (!value.is_ok()) break;
      ++read;
      const std::string again = to_edn(value.value());
      EdnReader second(again);
      ASSERT_TRUE(second.more() || again.empty());
      EXPECT_TRUE(second.next().is_ok()) << again;
      (void)to_event(value.value());
    }
  }
  EXPECT_GT(read, 50'000u);
}

}  // namespace
}  // namespace jepsen
