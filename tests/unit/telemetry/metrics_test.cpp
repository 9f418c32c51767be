#include "telemetry/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace fermata::telemetry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Series& made(Metrics& metrics, MetricKind kind, std::string_view name, const Labels& labels = {}) {
  auto series = metrics.series(kind, name, "help", labels);
  EXPECT_TRUE(series) << series.status().text();
  return **series;
}

TEST(Metrics, CounterAddsGaugeSetsHistogramObserves) {
  Metrics metrics;
  auto& counter = made(metrics, MetricKind::kCounter, "requests_total", {{"route", "status"}});
  counter.record(1);
  counter.record(2);
  auto& gauge = made(metrics, MetricKind::kGauge, "depth");
  gauge.record(9);
  gauge.record(4);
  made(metrics, MetricKind::kHistogram, "latency_seconds").record(0.0007);
  const auto text = metrics.text();
  EXPECT_THAT(text, AllOf(HasSubstr("# TYPE requests_total counter\nrequests_total{route=\"status\"} 3\n"), HasSubstr("\ndepth 4\n"),
                          HasSubstr("latency_seconds_bucket{le=\"0.001\"} 1\n"), HasSubstr("latency_seconds_bucket{le=\"60\"} 1\n"),
                          HasSubstr("latency_seconds_count 1\n")));
}

TEST(Metrics, SameNameAndLabelsAreOneSeriesWhateverTheOrderOfLabels) {
  Metrics metrics;
  auto& one = made(metrics, MetricKind::kCounter, "a_total", {{"x", "1"}, {"y", "2"}});
  auto& two = made(metrics, MetricKind::kCounter, "a_total", {{"y", "2"}, {"x", "1"}});
  auto& other = made(metrics, MetricKind::kCounter, "a_total", {{"x", "1"}});
  EXPECT_EQ(&one, &two);
  EXPECT_NE(&one, &other);
}

TEST(Metrics, ANameOfAnotherKindIsRefused) {
  Metrics metrics;
  made(metrics, MetricKind::kCounter, "a_total");
  const auto refused = metrics.series(MetricKind::kGauge, "a_total", "", {{"x", "1"}});
  EXPECT_EQ(refused.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(refused.status().message(), HasSubstr("'a_total'"));
}

TEST(Metrics, BadNamesAreRefusedByName) {
  Metrics metrics;
  struct Case {
    std::string name;
    Labels labels;
    MetricKind kind = MetricKind::kCounter;
  };
  for (const auto& [name, labels, kind] : std::vector<Case>{{"a-b", {}},
                                                            {"", {}},
                                                            {"1a", {}},
                                                            {"ok", {{"a-b", "v"}}},
                                                            {"ok", {{"a", "1"}, {"a", "2"}}},
                                                            {"ok", {{"le", "1"}}, MetricKind::kHistogram}})
    EXPECT_EQ(metrics.series(kind, name, "", labels).status().code(), Code::kInvalidArgument) << name;
}

TEST(Metrics, ACounterNeverGoesBack) {
  Metrics metrics;
  auto& counter = made(metrics, MetricKind::kCounter, "a_total");
  counter.record(5);
  counter.record(-3);
  EXPECT_THAT(metrics.text(), HasSubstr("\na_total 5\n"));
}

TEST(Metrics, HelpAndLabelValuesCannotBreakTheFormat) {
  Metrics metrics;
  ASSERT_TRUE(metrics.series(MetricKind::kGauge, "g", "one\ntwo", {{"l", "a\"b\nc"}}));
  EXPECT_THAT(metrics.text(), AllOf(HasSubstr("# HELP g one\\ntwo\n"), HasSubstr("g{l=\"a\\\"b\\nc\"}")));
}

TEST(Metrics, CollectorsAreAskedUntilTheirTokenDies) {
  Metrics metrics;
  auto token = metrics.add_collector([](std::vector<Metrics::Sample>& samples) {
    samples.push_back({MetricKind::kGauge, "lag", "Records not done.", {{"location", "paris"}}, 7});
    samples.push_back({MetricKind::kGauge, "lag", "Records not done.", {{"location", "rome"}}, 8});
  });
  EXPECT_THAT(metrics.text(),
              HasSubstr("# HELP lag Records not done.\n# TYPE lag gauge\nlag{location=\"paris\"} 7\nlag{location=\"rome\"} 8\n"));
  token.reset();
  EXPECT_THAT(metrics.text(), Not(HasSubstr("lag{")));
}

TEST(Metrics, ASampleThatDoesNotFitIsLeftOutAndTheRestStays) {
  Metrics metrics;
  made(metrics, MetricKind::kCounter, "taken_total").record(1);
  const auto token = metrics.add_collector([](std::vector<Metrics::Sample>& samples) {
    samples.push_back({MetricKind::kGauge, "taken_total", "", {{"from", "collector"}}, 2});
    samples.push_back({MetricKind::kGauge, "bad name", "", {}, 3});
    samples.push_back({MetricKind::kGauge, "fine", "", {}, 4});
  });
  EXPECT_THAT(metrics.text(),
              AllOf(HasSubstr("taken_total 1\n"), HasSubstr("\nfine 4\n"), Not(HasSubstr("bad name")), Not(HasSubstr("from="))));
}

TEST(Metrics, TheEndOfATokenWaitsForACallThatRuns) {
  Metrics metrics;
  std::atomic<bool> inside = false;
  std::atomic<bool> ending = false;
  std::atomic<bool> left = false;
  auto token = metrics.add_collector([&](std::vector<Metrics::Sample>&) {
    inside = true;
    while (!ending) std::this_thread::yield();
    left = true;
  });
  std::jthread scrape([&] { (void)metrics.text(); });
  while (!inside) std::this_thread::yield();
  ending = true;
  token.reset();
  EXPECT_TRUE(left);
}

TEST(Metrics, TheProcessShowsItsOwnCost) {
  const Metrics metrics;
  std::istringstream text(metrics.text());
  double resident = 0;
  double start = 0;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("process_resident_memory_bytes ")) resident = std::stod(line.substr(line.find(' ')));
    if (line.starts_with("process_start_time_seconds ")) start = std::stod(line.substr(line.find(' ')));
  }
  EXPECT_GT(resident, 1e6);
  EXPECT_GT(start, 1.6e9);
}

}  // namespace
}  // namespace fermata::telemetry
