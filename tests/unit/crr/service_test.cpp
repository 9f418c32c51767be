#include "model/record.hpp"
#include "replication/object_states.hpp"
#include "unit/crr/directory_fixture.hpp"

#include <boost/json.hpp>
#include <fermata/testing/behaviour.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

extern "C" const fermata_plugin* fermata_plugin_entry(void);

namespace fermata::crr::testing {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

/// The whole service on a FakeHost, with a source and two targets.
class CrrServiceTest : public ::testing::Test {
 protected:
  CrrServiceTest() {
    for (const auto* name : {"source", "paris", "london"}) std::filesystem::create_directories(directory_.path(name));
  }

  std::string source(const std::string& name = {}) const { return directory_.path("source/" + name); }
  std::string paris(const std::string& name = {}) const { return directory_.path("paris/" + name); }
  std::string london(const std::string& name = {}) const { return directory_.path("london/" + name); }

  void start() {
    const json::value config{
        {"service", "crr"},
        {"settings", {{"source", {{"type", "filesystem"}, {"path", directory_.path("source")}}}, {"journal", {{"settle", "0ms"}}}}},
        {"locations",
         {{{"name", "paris"}, {"type", "filesystem"}, {"path", directory_.path("paris")}},
          {{"name", "london"}, {"type", "filesystem"}, {"path", directory_.path("london")}}}},
        {"work_dir", directory_.path()}};
    const auto init = service_.init(json::serialize(config));
    ASSERT_TRUE(init.is_ok()) << init.text();
    ASSERT_TRUE(service_.start().is_ok());
    started_ = true;
  }
  ~CrrServiceTest() override {
    if (started_) {
      EXPECT_TRUE(service_.stop().is_ok());
    }
    EXPECT_THAT(host().violations(), IsEmpty());
  }

  sdk::testing::FakeHost& host() { return service_.host(); }

  /// Polls until at least `count` new records were produced and there is nothing left to read.
  std::vector<sdk::testing::Message> journal(std::size_t count) {
    const auto before = host().produced().size();
    EXPECT_TRUE(eventually([&] {
      const auto batch = host().poll("journal");
      if (!batch || !batch->wait()) return false;
      const auto end = batch->result();
      return end.records.empty() && end.idle >= std::chrono::seconds(1) && host().produced().size() >= before + count;
    }));
    const auto all = host().produced();
    return {all.begin() + static_cast<std::ptrdiff_t>(before), all.end()};
  }

  sdk::testing::DeliveryEnd deliver(const std::string& location, sdk::testing::Message message, std::uint32_t attempt = 1) {
    message.attempt = attempt;
    const auto delivery = host().deliver("replicate-" + location, message);
    EXPECT_TRUE(delivery && delivery->wait());
    return delivery ? delivery->result() : sdk::testing::DeliveryEnd{};
  }
  void deliver_all(const std::string& location, const std::vector<sdk::testing::Message>& records) {
    for (const auto& record : records) EXPECT_EQ(deliver(location, record).outcome, FERMATA_DONE);
  }

  json::value get(const std::string& path, int status = 200, const std::string& query = {}) {
    const auto exchange = host().request("GET", path, {}, query);
    EXPECT_TRUE(exchange) << path;
    host().run_ready();
    EXPECT_TRUE(exchange->wait());
    EXPECT_EQ(exchange->result().status, status) << exchange->result().body;
    return json::parse(exchange->result().body);
  }
  /// "paris=COMPLETED london=PENDING"
  std::string states(const std::string& path) {
    std::string text;
    const auto object = get("objects/" + path);
    for (const auto& location : object.at("locations").as_array())
      text += (text.empty() ? "" : " ") + std::string(location.at("location").as_string()) + "=" +
              std::string(location.at("status").as_string());
    return text;
  }

  TemporaryDirectory directory_;
  sdk::testing::PluginInstance service_{*fermata_plugin_entry(), "crr"};
  bool started_ = false;
};

TEST_F(CrrServiceTest, CopiesToEachLocationIndependently) {
  start();
  write_file(source("b/k"), "content");
  const auto records = journal(1);
  deliver_all("paris", records);
  EXPECT_THAT(tree(paris()), ElementsAre(Pair("b/k", "content")));
  EXPECT_THAT(tree(london()), IsEmpty());
  EXPECT_EQ(states("b/k"), "paris=COMPLETED london=PENDING");
  deliver_all("london", records);
  EXPECT_THAT(tree(london()), ElementsAre(Pair("b/k", "content")));
  EXPECT_EQ(states("b/k"), "paris=COMPLETED london=COMPLETED");
}

TEST_F(CrrServiceTest, ShowsAnObject) {
  start();
  write_file(source("b/a dir/k+%"), "hello");
  deliver_all("paris", journal(1));
  const auto object = get("objects/b/a dir/k+%");
  EXPECT_EQ(object.at("bucket"), "b");
  EXPECT_EQ(object.at("key"), "a dir/k+%");
  EXPECT_EQ(object.at("size"), 5);
  EXPECT_THAT(std::string(object.at("lastModified").as_string()), ::testing::EndsWith("Z"));
  const auto& location = object.at("locations").at(0);
  EXPECT_EQ(location.at("attempts"), 1);
  EXPECT_EQ(location.at("bytes"), 5);
  EXPECT_EQ(location.at("etag"), "5d41402abc4b2a76b9719d911017c592");
  EXPECT_TRUE(location.as_object().contains("completedAt"));
  EXPECT_THAT(json::serialize(get("objects/b/unknown", 404)), HasSubstr("Not Found"));
  get("objects/b", 400);
}

TEST_F(CrrServiceTest, AnswersWithProblemsInUtf8WhateverWasAskedFor) {
  start();
  const auto problem = get("objects/b/\xFFname", 404);
  EXPECT_EQ(problem.at("title"), "Not Found");
  EXPECT_EQ(problem.at("status"), 404);
  EXPECT_THAT(std::string(problem.at("detail").as_string()), HasSubstr("b/\\xFFname"));
  EXPECT_THAT(json::serialize(get("objects", 400, "\xFF=1")), HasSubstr("xFF"));
  const auto exchange = host().request("GET", "objects/b");
  host().run_ready();
  ASSERT_TRUE(exchange->wait());
  EXPECT_EQ(exchange->result().content_type, "application/problem+json");
}

TEST_F(CrrServiceTest, IsHandedNoMoreRecordsThanItHasRoomFor) {
  start();
  for (const auto& processor : host().processors()) EXPECT_EQ(processor.max_in_flight, 64u);
}

TEST_F(CrrServiceTest, WaitsWhileTheSourceIsMissing) {
  start();
  write_file(source("b/k"), "1");
  const auto records = journal(1);
  std::filesystem::rename(directory_.path("source"), directory_.path("away"));
  EXPECT_EQ(deliver("paris", records.at(0)).outcome, FERMATA_POSTPONE);
  EXPECT_EQ(states("b/k"), "paris=PENDING london=PENDING");
  std::filesystem::rename(directory_.path("away"), directory_.path("source"));
  deliver_all("paris", records);
}

TEST_F(CrrServiceTest, IsDegradedAtEveryLocationWhileTheSourceIsMissing) {
  std::filesystem::remove(directory_.path("source"));
  start();
  const auto message = "source root " + directory_.path("source") + " is missing";
  for (const auto* location : {"paris", "london"})
    EXPECT_TRUE(eventually([&] { return service_.status(location)->find(message) != std::string::npos; })) << location;
  std::filesystem::create_directory(directory_.path("source"));
  EXPECT_TRUE(eventually([&] { return *service_.status("paris") == "{}" && *service_.status("london") == "{}"; }));
  const auto count = [this](const std::string& part) {
    const auto lines = host().logs();
    return std::count_if(lines.begin(), lines.end(), [&](const auto& line) { return line.message.find(part) != std::string::npos; });
  };
  EXPECT_EQ(count(message), 1);
  EXPECT_TRUE(eventually([&] { return count("is there again") == 1; }));
}

TEST_F(CrrServiceTest, ShowsVersionsThatWereLeftOut) {
  start();
  const sdk::Host raw(host().raw());
  ObjectState state;
  state.status = ObjectState::Status::kCompleted;
  state.left_out = {{"v2", "it is archived"}};
  ASSERT_TRUE(ObjectStates(raw).put({"b", "k"}, "paris", state));
  const auto shown = get("objects/b/k").at("locations").at(0);
  EXPECT_EQ(shown.at("status"), "COMPLETED");
  EXPECT_EQ(json::serialize(shown.at("leftOut")), R"([{"versionId":"v2","reason":"it is archived"}])");
}

TEST_F(CrrServiceTest, IsPendingAgainWhenTheObjectChanged) {
  start();
  write_file(source("b/k"), "1");
  deliver_all("paris", journal(1));
  EXPECT_EQ(states("b/k"), "paris=COMPLETED london=PENDING");
  write_file(source("b/k"), "22");
  const auto second = journal(1);
  EXPECT_EQ(states("b/k"), "paris=PENDING london=PENDING");
  deliver_all("paris", second);
  EXPECT_EQ(states("b/k"), "paris=COMPLETED london=PENDING");
}

TEST_F(CrrServiceTest, ForgetsAnObjectThatIsDeletedEverywhere) {
  start();
  write_file(source("b/k"), "1");
  const auto put = journal(1);
  deliver_all("paris", put);
  deliver_all("london", put);
  std::filesystem::remove(source("b/k"));
  const auto removed = journal(1);
  deliver_all("paris", removed);
  EXPECT_THAT(tree(paris()), IsEmpty());
  get("objects/b/k");
  deliver_all("london", removed);
  get("objects/b/k", 404);
}

TEST_F(CrrServiceTest, LateAndRepeatedRecordsNeverMoveATargetBack) {
  start();
  write_file(source("b/k"), "first");
  const auto first = journal(1);
  write_file(source("b/k"), "second, longer");
  const auto second = journal(1);
  deliver_all("paris", first);
  EXPECT_THAT(tree(paris()), ElementsAre(Pair("b/k", "second, longer"))) << "the object as it is now";
  deliver_all("paris", second);
  deliver_all("paris", first);
  EXPECT_THAT(tree(paris()), ElementsAre(Pair("b/k", "second, longer")));
  std::filesystem::remove(source("b/k"));
  const auto removed = journal(1);
  deliver_all("paris", removed);
  deliver_all("paris", first);
  deliver_all("paris", second);
  EXPECT_THAT(tree(paris()), IsEmpty()) << "a late put does not bring it back";
  write_file(source("b/k"), "third");
  deliver_all("paris", journal(1));
  deliver_all("paris", removed);
  EXPECT_THAT(tree(paris()), ElementsAre(Pair("b/k", "third"))) << "a late deletion does not remove it";
}

TEST_F(CrrServiceTest, DoesNotCopyWhatTheTargetHasAlready) {
  start();
  write_file(source("b/k"), "1");
  const auto records = journal(1);
  deliver_all("paris", records);
  const auto inode = [this] {
    struct stat info {};
    ::stat(paris("b/k").c_str(), &info);
    return info.st_ino;
  };
  const auto before = inode();
  deliver_all("paris", records);
  EXPECT_EQ(inode(), before);
  EXPECT_EQ(host().metric("crr_objects_total", {{"location", "paris"}, {"result", "unchanged"}}), 1);
  std::filesystem::remove(paris("b/k"));
  deliver_all("paris", records);
  EXPECT_THAT(tree(paris()), ElementsAre(Pair("b/k", "1"))) << "what somebody took away is copied again";
}

TEST_F(CrrServiceTest, WaitsWhileTheTargetIsMissingAndSaysSo) {
  write_file(paris("b/.fermata-tmp-0123456789abcdef"), "for the first probe to clean up");
  start();
  write_file(source("b/k"), "1");
  const auto records = journal(1);
  ASSERT_TRUE(eventually([&] { return tree(paris()).empty(); })) << "no probe takes the target for missing while it is tried";
  std::filesystem::remove_all(paris());
  auto last = records.at(0);
  last.last_attempt = true;
  const auto end = deliver("paris", last, 3);
  EXPECT_EQ(end.outcome, FERMATA_POSTPONE) << "an outage gives nothing up";
  EXPECT_THAT(end.text, HasSubstr("is missing: mount or create it"));
  const auto waiting = get("objects/b/k").at("locations").at(0);
  EXPECT_EQ(waiting.at("status"), "PENDING");
  EXPECT_EQ(waiting.at("attempts"), 3);
  EXPECT_THAT(std::string(waiting.at("reason").as_string()), HasSubstr("is missing"));
  EXPECT_FALSE(std::filesystem::exists(paris()));
  EXPECT_EQ(deliver("london", records.at(0)).outcome, FERMATA_DONE) << "the other location goes on";
  std::filesystem::create_directory(paris());
  EXPECT_TRUE(eventually([&] { return deliver("paris", records.at(0), 4).outcome == FERMATA_DONE; }));
  EXPECT_EQ(states("b/k"), "paris=COMPLETED london=COMPLETED");
}

TEST_F(CrrServiceTest, IsDegradedWhileTheTargetIsMissing) {
  std::filesystem::remove(paris());
  start();
  EXPECT_TRUE(eventually([&] { return service_.status("paris")->find("target root") != std::string::npos; }));
  EXPECT_THAT(*service_.status("paris"), HasSubstr("degraded"));
  EXPECT_EQ(*service_.status("london"), "{}");
}

TEST_F(CrrServiceTest, CleansUpAtTheStart) {
  write_file(paris("b/.fermata-tmp-0123456789abcdef"), "left behind");
  write_file(paris("b/kept"), "1");
  start();
  EXPECT_TRUE(eventually([&] { return tree(paris()).size() == 1; }));
  EXPECT_THAT(tree(paris()), ElementsAre(Pair("b/kept", "1")));
}

TEST_F(CrrServiceTest, KeepsTheReasonOfAFailure) {
  start();
  write_file(source("b/k"), "1");
  const auto records = journal(1);
  write_file(paris("b"), "a file where the bucket belongs");
  const auto end = deliver("paris", records.at(0));
  EXPECT_EQ(end.outcome, FERMATA_FAILED);
  EXPECT_THAT(end.text, HasSubstr("is no directory"));
  const auto failed = get("objects/b/k").at("locations").at(0);
  EXPECT_EQ(failed.at("status"), "FAILED");
  EXPECT_THAT(std::string(failed.at("reason").as_string()), HasSubstr("is no directory"));
  std::filesystem::remove(paris("b"));
  deliver_all("paris", records);
  EXPECT_EQ(states("b/k"), "paris=COMPLETED london=PENDING");
}

TEST_F(CrrServiceTest, PassesOverRecordsOfOtherLocationsAndFailsWhatIsNoRecord) {
  start();
  write_file(source("b/k"), "1");
  journal(1);
  const ReplicationRecord other{ReplicationRecord::Type::kPut, {"b", "k"}, 1, 1, 0, {"berlin"}};
  EXPECT_EQ(deliver("paris", {record_key(other.id), format_record(other)}).outcome, FERMATA_DONE);
  EXPECT_THAT(tree(paris()), IsEmpty());
  EXPECT_EQ(deliver("paris", {"k", "nonsense"}).outcome, FERMATA_FAILED);
  const ReplicationRecord evil{ReplicationRecord::Type::kDelete, {"b", "../../source/b/k"}, 1, 1, 0, {"paris"}};
  EXPECT_EQ(deliver("paris", {record_key(evil.id), format_record(evil)}).outcome, FERMATA_FAILED);
  EXPECT_EQ(read_file(source("b/k")), "1");
}

TEST_F(CrrServiceTest, ListsObjectsByPrefixAndStatus) {
  start();
  for (const auto* name : {"a/1", "b/1", "b/2", "b/3", "c/1"}) write_file(source(name), "1");
  const auto records = journal(5);
  for (const auto& record : records)
    if (record.key != "b%2F2") deliver_all("paris", {record});
  for (const auto& record : records) deliver_all("london", {record});
  const auto keys = [this](const std::string& query) {
    std::string text;
    const auto body = get("objects", 200, query);
    for (const auto& object : body.at("objects").as_array())
      text += std::string(object.at("bucket").as_string()) + "/" + std::string(object.at("key").as_string()) + " ";
    return text + (body.as_object().contains("next") ? "..." : "");
  };
  EXPECT_EQ(keys(""), "a/1 b/1 b/2 b/3 c/1 ");
  EXPECT_EQ(keys("prefix=b%2F"), "b/1 b/2 b/3 ");
  EXPECT_EQ(keys("prefix=b/&limit=2"), "b/1 b/2 ...");
  EXPECT_EQ(keys("prefix=b/&limit=2&after=b/2"), "b/3 ");
  EXPECT_EQ(keys("status=PENDING"), "b/2 ");
  EXPECT_EQ(keys("status=FAILED"), "");
  for (const auto* bad : {"limit=0", "limit=x", "status=done", "colour=red", "prefix=%"}) get("objects", 400, bad);
}

TEST_F(CrrServiceTest, RandomChangesEndWithEqualTrees) {
  start();
  std::mt19937 random(20'261'122);
  const auto pick = [&random](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  const auto name = [&pick] {
    std::string path = "bucket" + std::to_string(pick(2));
    for (int depth = 1 + pick(3); depth > 0; --depth) path += "/" + std::to_string(pick(3));
    return path;
  };
  std::vector<sdk::testing::Message> waiting;
  for (int round = 0; round < 40; ++round) {
    for (int change = 0; change < 5; ++change) {
      const std::string path = source(name());
      std::error_code ignored;
      switch (pick(4)) {
        case 0: std::filesystem::remove_all(path, ignored); break;
        case 1: std::filesystem::rename(source(name()), path, ignored); break;
        default:
          std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
          if (!ignored && !std::filesystem::is_directory(path))
            write_file(path, std::string(static_cast<std::size_t>(pick(50)), static_cast<char>('a' + pick(26))));
      }
    }
    const auto records = journal(0);
    waiting.insert(waiting.end(), records.begin(), records.end());
    // Keys in any order between each other, each key in its own.
    while (waiting.size() > static_cast<std::size_t>(pick(20))) {
      std::size_t chosen = static_cast<std::size_t>(pick(static_cast<int>(waiting.size())));
      for (std::size_t i = 0; i < chosen; ++i)
        if (waiting[i].key == waiting[chosen].key) chosen = i;
      for (std::uint32_t attempt = 1; deliver("paris", waiting[chosen], attempt).outcome != FERMATA_DONE; ++attempt) ASSERT_LT(attempt, 5u);
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
  }
  const auto rest = journal(0);
  waiting.insert(waiting.end(), rest.begin(), rest.end());
  deliver_all("paris", waiting);
  EXPECT_EQ(tree(paris()), tree(source()));
  EXPECT_FALSE(tree(source()).empty());
}

}  // namespace
}  // namespace fermata::crr::testing

namespace fermata::sdk::testing {

struct CrrBehaviour {
  static const fermata_plugin& plugin() { return *fermata_plugin_entry(); }
  static std::string service() { return "crr"; }
  static std::string config() {
    return R"({"service":"crr","settings":{"source":{"type":"filesystem","path":"/nonexistent/source"}},"locations":[)"
           R"({"name":"paris","type":"filesystem","path":"/nonexistent/paris"}],"work_dir":"/nonexistent"})";
  }
  static std::vector<std::string> locations() { return {"paris"}; }
  static std::vector<std::string> bad_configs() {
    return {
        R"({"service":"crr","settings":{},"locations":[]})",
        R"({"service":"crr","settings":{"source":{"type":"filesystem","path":"relative"}},"locations":[]})",
        R"({"service":"crr","settings":{"source":{"type":"filesystem","path":"/s"}},"locations":[{"name":"p","type":"filesystem","path":"/s/p"}]})"};
  }
  static std::vector<Message> records() {
    const crr::ReplicationRecord record{crr::ReplicationRecord::Type::kPut, {"b", "k"}, 1, 1, 0, {"paris"}};
    return {{crr::record_key(record.id), crr::format_record(record)}, {"key", "not a record"}};
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Crr, ServiceBehaviour, CrrBehaviour);

}  // namespace fermata::sdk::testing
