#include "server/metrics.h"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(DurationHistogram, PutsEachDurationIntoTheFirstBucketThatHoldsIt) {
  DurationHistogram histogram;
  histogram.record_us(0);
  histogram.record_us(100);
  histogram.record_us(101);
  histogram.record_us(3'000'000);
  histogram.record_us(60'000'000);  // above every bound
  const auto reading = histogram.read();
  EXPECT_EQ(reading.counts[0], 2u);
  EXPECT_EQ(reading.counts[1], 1u);
  EXPECT_EQ(reading.counts[DurationHistogram::kBuckets - 1], 1u);
  EXPECT_EQ(reading.count, 5u);
  EXPECT_EQ(reading.sum_us, 63'000'201u);
}

TEST(MetricsText, EscapesAndOrders) {
  MetricsText text;
  text.counter("a_total", "Back\\slash\nand line.", 3);
  text.family("b", "B.", "gauge");
  text.sample("b", {{"name", "q\"b\\n\n"}, {"other", "x"}}, 0.25);
  EXPECT_EQ(text.text(),
            "# HELP a_total Back\\\\slash\\nand line.\n# TYPE a_total counter\na_total 3\n"
            "# HELP b B.\n# TYPE b gauge\nb{name=\"q\\\"b\\\\n\\n\",other=\"x\"} 0.25\n");
}

TEST(MetricsText, HistogramsAreCumulativeAndEndWithInf) {
  DurationHistogram histogram;
  histogram.record_us(150);
  histogram.record_us(150);
  histogram.record_us(60'000'000);
  MetricsText text;
  text.histogram("h_seconds", "H.", histogram.read());
  const std::string& out = text.text();
  EXPECT_NE(out.find("h_seconds_bucket{le=\"0.0001\"} 0\n"), std::string::npos) << out;
  EXPECT_NE(out.find("h_seconds_bucket{le=\"0.0002\"} 2\n"), std::string::npos);
  EXPECT_NE(out.find("h_seconds_bucket{le=\"3.2768\"} 2\n"), std::string::npos);
  EXPECT_NE(out.find("h_seconds_bucket{le=\"+Inf\"} 3\n"), std::string::npos);
  EXPECT_NE(out.find("h_seconds_sum 60.0003\n"), std::string::npos);
  EXPECT_NE(out.find("h_seconds_count 3\n"), std::string::npos);
}

TEST(MetricsText, LargeCountersAreWrittenOut) {
  MetricsText text;
  text.counter("c_total", "C.", 123456789012.0);
  EXPECT_NE(text.text().find("c_total 123456789012\n"), std::string::npos) << text.text();
}

}  // namespace
}  // namespace server
