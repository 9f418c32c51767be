#include "routes/failed_routes.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace fermata::crr::testing {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FailedRoutesTest : public ::testing::Test {
 protected:
  FailedRoutesTest() {
    if (auto status = routes_.add(); !status) throw std::runtime_error(status.text());
  }
  /// Gives up a record of version "v<n>" at `location`, n seconds after 1970.
  void give_up(const std::string& location, const std::string& key, int n) {
    ReplicationRecord record{ReplicationRecord::Type::kPut, {"b", key}, 1, 7, 0, {location}};
    record.version_id = "v" + std::to_string(n);
    fake_.give_up(location, {.id = "id" + std::to_string(n),
                             .topic = "backbeat-replication",
                             .key = record_key(record.id),
                             .value = format_record(record),
                             .reason = "no room",
                             .attempts = 3,
                             .failed_at_ms = n * 1'000});
  }
  struct Answer {
    int status;
    json::value body;
  };
  Answer ask(std::string_view method, std::string_view path, std::string_view body = {}, std::string_view query = {}) {
    const auto exchange = fake_.request(method, path, body, query);
    fake_.run_ready();
    return {exchange->result().status, json::parse(exchange->result().body)};
  }
  static std::vector<std::string> versions(const json::value& list) {
    std::vector<std::string> ids;
    for (const auto& item : list.as_array()) ids.emplace_back(item.at("VersionId").as_string());
    return ids;
  }

  sdk::testing::FakeHost fake_;
  sdk::Host host_{fake_.raw()};
  FailedRoutes routes_{host_, {"paris", "oslo"}};
};

TEST_F(FailedRoutesTest, ListTheNewestFirstOfAllOrOneLocation) {
  give_up("paris", "a", 1);
  give_up("oslo", "b", 2);
  give_up("paris", "c", 3);
  const auto all = ask("GET", "failed");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.body.at("IsTruncated"), false);
  EXPECT_THAT(versions(all.body.at("Versions")), ElementsAre("v3", "v2", "v1"));
  const auto& first = all.body.at("Versions").at(0);
  EXPECT_EQ(first.at("Bucket"), "b");
  EXPECT_EQ(first.at("Key"), "c");
  EXPECT_EQ(first.at("StorageClass"), "paris");
  EXPECT_EQ(first.at("Size"), 7);
  EXPECT_EQ(first.at("Reason"), "no room");
  EXPECT_THAT(versions(ask("GET", "failed", {}, "sitename=oslo").body.at("Versions")), ElementsAre("v2"));
}

TEST_F(FailedRoutesTest, PageByTheTimeOfTheLast) {
  for (int n = 1; n <= 150; ++n) give_up("paris", "k" + std::to_string(n), n);
  const auto page = ask("GET", "failed", {}, "sitename=paris");
  EXPECT_EQ(page.body.at("IsTruncated"), true);
  EXPECT_EQ(page.body.at("Versions").as_array().size(), 100u);
  EXPECT_EQ(page.body.at("NextMarker"), 51'000);
  const auto rest = ask("GET", "failed", {}, "sitename=paris&marker=51000");
  EXPECT_EQ(rest.body.at("IsTruncated"), false);
  EXPECT_EQ(versions(rest.body.at("Versions")).front(), "v50");
  EXPECT_EQ(rest.body.at("Versions").as_array().size(), 50u);
}

TEST_F(FailedRoutesTest, ShowOneObjectOrOneVersionOfIt) {
  give_up("paris", "a", 1);
  give_up("oslo", "a", 2);
  give_up("oslo", "other", 3);
  EXPECT_THAT(versions(ask("GET", "failed/b/a").body.at("Versions")), ElementsAre("v2", "v1"));
  EXPECT_THAT(versions(ask("GET", "failed/b/a", {}, "versionId=v1").body.at("Versions")), ElementsAre("v1"));
  EXPECT_THAT(versions(ask("GET", "failed/b/none").body.at("Versions")), IsEmpty());
}

TEST_F(FailedRoutesTest, RetryWhatAListNames) {
  give_up("paris", "a", 1);
  give_up("paris", "a", 2);
  const auto answer = ask(
      "POST", "failed",
      R"([{"Bucket":"b","Key":"a","VersionId":"v1","StorageClass":"paris"},{"Bucket":"b","Key":"x","VersionId":"v","StorageClass":"oslo"}])");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(versions(answer.body), ElementsAre("v1"));
  EXPECT_EQ(answer.body.at(0).at("ReplicationStatus"), "PENDING");
  EXPECT_THAT(fake_.failed_ids("paris"), ElementsAre("id2"));
  ASSERT_EQ(fake_.produced().size(), 1u);
  EXPECT_EQ(fake_.produced().front().topic, "backbeat-replication");
}

TEST_F(FailedRoutesTest, RetryOneObjectEverywhereAndShowItAsPending) {
  give_up("paris", "a", 1);
  give_up("oslo", "a", 2);
  const ObjectStates states(host_);
  ObjectState failed;
  failed.status = ObjectState::Status::kFailed;
  failed.failed_id = "id1";
  failed.failed_version = "v1";
  ASSERT_TRUE(states.put({"b", "a"}, "paris", failed));
  EXPECT_EQ(ask("POST", "retry/b/a").body.at("retried"), 2);
  EXPECT_EQ(states.get({"b", "a"}, "paris")->value().status, ObjectState::Status::kPending);
  EXPECT_EQ(ask("POST", "retry/b/a").status, 404);
}

TEST_F(FailedRoutesTest, ShowTheObjectAsFailedStillIfItsRecordIsGone) {
  give_up("paris", "a", 1);
  ObjectState failed;
  failed.status = ObjectState::Status::kFailed;
  failed.failed_id = "id1";
  const ObjectStates states(host_);
  ASSERT_TRUE(states.put({"b", "a"}, "paris", failed));
  fake_.set_produce_result(Status(Code::kUnavailable, "the queue is away"));
  EXPECT_EQ(ask("POST", "retry/b/a").status, 503);
  EXPECT_EQ(states.get({"b", "a"}, "paris")->value().failed_id, "id1");
}

TEST_F(FailedRoutesTest, RefuseWhatMakesNoSense) {
  for (const auto* body :
       {"", "[null]", "[]", "{}", R"([{"Bucket":"b","Key":"a"}])", R"([{"Bucket":"","Key":"a","StorageClass":"paris"}])", "[1]"}) {
    const auto answer = ask("POST", "failed", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(std::string(answer.body.at("detail").as_string()), HasSubstr("StorageClass"));
  }
  EXPECT_EQ(ask("GET", "failed", {}, "marker=x").status, 400);
  EXPECT_EQ(ask("GET", "failed", {}, "sitename=rome").status, 404);
  EXPECT_EQ(ask("GET", "failed", {}, "site=paris").status, 400);
  EXPECT_EQ(ask("GET", "failed/b").status, 400);
}

}  // namespace
}  // namespace fermata::crr::testing
