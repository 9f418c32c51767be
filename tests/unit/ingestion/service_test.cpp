#include "ingestion_service.hpp"
#include "record.hpp"
#include "unit/ingestion/scripted_bucketd.hpp"

#include <fermata/testing/behaviour.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

extern "C" const fermata_plugin* fermata_plugin_entry(void);

namespace fermata::ingestion::testing {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kVersion = "98204680839378999999RG001  4";

class IngestionServiceTest : public ::testing::Test {
 protected:
  IngestionServiceTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fermata-ingestion-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
  }
  ~IngestionServiceTest() override {
    if (started_) {
      EXPECT_TRUE(service_.stop().is_ok());
    }
    EXPECT_THAT(host().violations(), IsEmpty());
    std::filesystem::remove_all(folder_);
  }

  std::string config(json::object store = {{"type", "sqlite"}}) const {
    const json::value owner{{"id", "owner-1"}, {"display_name", "Owner"}};
    return json::serialize(json::value{{"service", "ingestion"},
                                       {"settings", {{"store", std::move(store)}, {"instance_id", "me"}}},
                                       {"locations",
                                        {{{"name", "ring"},
                                          {"endpoint", bucketd_.url()},
                                          {"sessions", {1}},
                                          {"from", "beginning"},
                                          {"poll_interval", "10ms"},
                                          {"owner", owner},
                                          {"buckets", json::array{json::value{{"source", "src"}, {"target", "dst"}}}}},
                                         {{"name", "other"},
                                          {"endpoint", bucketd_.url()},
                                          {"sessions", {1}},
                                          {"owner", owner},
                                          {"buckets", json::array{json::value{{"source", "src"}, {"target", "dst2"}}}}}}},
                                       {"work_dir", folder_}});
  }
  void start(const char* store = "sqlite") {
    const auto init = service_.init(config({{"type", store}}));
    ASSERT_TRUE(init.is_ok()) << init.text();
    const auto status = service_.start();
    ASSERT_TRUE(status.is_ok()) << status.text();
    started_ = true;
  }
  sdk::testing::FakeHost& host() { return service_.host(); }

  static json::object metadata(std::int64_t size, const std::string& version = {}) {
    json::object out{{"content-length", size}, {"content-md5", "m"}, {"last-modified", "2026-11-22T03:46:00.616Z"}};
    if (!version.empty()) out["versionId"] = version;
    return out;
  }
  /// From the log to the store, as the host would.
  void mirror() {
    const std::size_t before = host().produced().size();
    for (int polls = 0; polls < 100; ++polls) {
      const auto batch = host().poll("log-ring-1");
      ASSERT_TRUE(batch && batch->wait());
      if (batch->result().records.empty() && polls > 0) break;
    }
    const auto produced = host().produced();
    std::vector<std::shared_ptr<sdk::testing::FakeDelivery>> deliveries;
    for (std::size_t i = before; i < produced.size(); ++i) {
      deliveries.push_back(host().deliver("store-ring", produced[i]));
      deliveries.push_back(host().deliver("store-other", produced[i]));
    }
    for (const auto& delivery : deliveries) {
      ASSERT_TRUE(delivery->wait());
      EXPECT_EQ(delivery->result().outcome, FERMATA_DONE) << delivery->result().text;
    }
  }
  json::value get(const std::string& path, int status = 200, const std::string& query = {}) {
    const auto exchange = host().request("GET", path, {}, query);
    EXPECT_TRUE(exchange) << path;
    host().run_ready();
    EXPECT_TRUE(exchange->wait());
    EXPECT_EQ(exchange->result().status, status) << exchange->result().body;
    return json::parse(exchange->result().body);
  }

  ScriptedBucketd bucketd_;
  std::string folder_;
  sdk::testing::PluginInstance service_{*fermata_plugin_entry(), "ingestion"};
  bool started_ = false;
};

TEST_F(IngestionServiceTest, MirrorsTheLog) {
  start();
  bucketd_.add("src", "dir/ä" + std::string(1, '\0') + kVersion, metadata(11, kVersion));
  bucketd_.add("src", "dir/ä", metadata(11, kVersion));
  bucketd_.add("src", "plain", metadata(5));
  bucketd_.add("src", "gone", metadata(6));
  bucketd_.remove("src", "gone");
  mirror();
  const auto list = get("list/ring").at("objects").as_array();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].at("key").as_string(), "dir/ä");
  EXPECT_EQ(list[0].at("size").as_int64(), 11);
  EXPECT_EQ(list[1].at("versionId").as_string(), "null");
  const std::string id(list[0].at("versionId").as_string());
  EXPECT_EQ(get("objects/dst/dir/ä", 200, "versionId=" + id).at("metadata").at("owner-id").as_string(), "owner-1");
  EXPECT_EQ(get("objects/dst/dir/ä?versionId=" + id).at("metadata").at("dataStoreName").as_string(), "ring") << "as the command line asks";
  EXPECT_EQ(get("versions/dst/dir/ä").at("versions").as_array().size(), 1u);
  get("objects/dst/gone", 404);
  get("objects/dst/plain", 400, "unknown=1");
  EXPECT_EQ(host().metric("ingestion_stored_total", {{"location", "ring"}, {"result", "written"}}), 4);
  EXPECT_EQ(get("list/other").at("objects").as_array().size(), 0u);
}

TEST_F(IngestionServiceTest, ListsByPrefixAndInPages) {
  start();
  for (int i = 0; i < 7; ++i) bucketd_.add("src", "p/" + std::to_string(i), metadata(i));
  bucketd_.add("src", "q", metadata(1));
  mirror();
  EXPECT_EQ(get("list/ring/dst/p/").at("objects").as_array().size(), 7u);
  EXPECT_EQ(get("list/ring/ds").at("objects").as_array().size(), 8u);
  EXPECT_EQ(get("list/ring/other/").at("objects").as_array().size(), 0u);
  std::size_t seen = 0;
  std::string after;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = get("list/ring?limit=3" + (after.empty() ? "" : "&after=" + after));
    seen += page.at("objects").as_array().size();
    if (!page.as_object().contains("next")) break;
    after = page.at("next").as_string();
  }
  EXPECT_EQ(seen, 8u);
  get("list/nowhere", 404);
  get("list/ring", 400, "limit=0");
}

TEST_F(IngestionServiceTest, ProcessorsHaveNoLocationSoThatTheQueueGoesOnWhenFetchingPauses) {
  start();
  for (const auto& processor : host().processors()) {
    EXPECT_EQ(processor.location, "");
    EXPECT_EQ(processor.group, "ingestion-" + processor.name.substr(6));
    EXPECT_EQ(processor.topic, "backbeat-ingestion");
  }
  EXPECT_EQ(host().populators().at(0).location, "ring");
  EXPECT_TRUE(service_.pause("ring").is_ok());
  bucketd_.add("src", "k", metadata(1));
  const auto batch = host().poll("log-ring-1");
  ASSERT_TRUE(batch->wait());
  EXPECT_TRUE(batch->result().records.empty());
  const auto delivery =
      host().deliver("store-ring", {record_key("dst", "k"), record_value(false, "dst", "k", json::serialize(metadata(1)), {1, 1})});
  ASSERT_TRUE(delivery->wait());
  EXPECT_EQ(delivery->result().outcome, FERMATA_DONE);
  EXPECT_EQ(get("list/ring").at("objects").as_array().size(), 1u);
  EXPECT_TRUE(service_.resume("ring").is_ok());
}

TEST_F(IngestionServiceTest, WhatIsNoRecordOfOursGoesToTheFailedStore) {
  start();
  for (const auto* value : {"nonsense", R"({"type":"put","bucket":"dst","key":"k","value":"{}"})"}) {
    const auto delivery = host().deliver("store-ring", {"dst%2Fk", value});
    ASSERT_TRUE(delivery->wait());
    EXPECT_EQ(delivery->result().outcome, FERMATA_FAILED);
  }
  const auto delivery = host().deliver("store-ring", {"elsewhere%2Fk", "nonsense"});
  ASSERT_TRUE(delivery->wait());
  EXPECT_EQ(delivery->result().outcome, FERMATA_DONE) << "another location's";
}

TEST_F(IngestionServiceTest, ShowsWhyALocationIsDegraded) {
  start();
  bucketd_.refuse(500);
  EXPECT_TRUE(host().poll("log-ring-1")->wait());
  const auto status = service_.status("ring");
  ASSERT_TRUE(status.is_ok());
  EXPECT_THAT(*status, HasSubstr("degraded"));
  EXPECT_THAT(*status, HasSubstr("answered 500"));
}

TEST_F(IngestionServiceTest, OneNodeOfTheClusterHasTheStore) {
  ASSERT_TRUE(sdk::Host(host().raw()).kv_put("store", "of-another-node").is_ok());
  ASSERT_TRUE(service_.init(config()).is_ok());
  const auto refused = service_.start();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("elsewhere on all nodes but one"));
}

TEST_F(IngestionServiceTest, AStoreTakesThePlaceOfTheOneThatItReplaces) {
  const std::string former(32, 'a');
  ASSERT_TRUE(sdk::Host(host().raw()).kv_put("store", former).is_ok());
  ASSERT_TRUE(service_.init(config({{"type", "sqlite"}, {"replaces", former}})).is_ok());
  ASSERT_TRUE(service_.start().is_ok());
  started_ = true;
  const auto now = sdk::Host(host().raw()).kv_get("store");
  ASSERT_TRUE(now && *now);
  EXPECT_NE(**now, former);
}

TEST_F(IngestionServiceTest, AStoreTakesThePlaceOfNoOtherThanTheOneThatItReplaces) {
  const std::string other(32, 'b');
  ASSERT_TRUE(sdk::Host(host().raw()).kv_put("store", other).is_ok());
  ASSERT_TRUE(service_.init(config({{"type", "sqlite"}, {"replaces", std::string(32, 'a')}})).is_ok());
  const auto refused = service_.start();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("settings.store.replaces to " + other));
  EXPECT_EQ(**sdk::Host(host().raw()).kv_get("store"), other);
}

TEST_F(IngestionServiceTest, ANodeWithoutTheStoreOnlyReadsLogs) {
  start("elsewhere");
  EXPECT_THAT(host().processors(), IsEmpty());
  EXPECT_EQ(host().populators().size(), 2u);
  EXPECT_THAT(get("list/ring", 503).at("detail").as_string().c_str(), HasSubstr("another node"));
}

}  // namespace
}  // namespace fermata::ingestion::testing

namespace fermata::sdk::testing {

struct IngestionBehaviour {
  static const fermata_plugin& plugin() { return *fermata_plugin_entry(); }
  static std::string service() { return "ingestion"; }
  /// Each with a folder of its own: a store belongs to one instance.
  static std::string config() {
    std::string folder = ::testing::TempDir() + "fermata-ingestion-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
    return R"({"service":"ingestion","settings":{"store":{"type":"sqlite"}},"locations":[{"name":"ring","endpoint":"http://127.0.0.1:1",)"
           R"("sessions":[1],"buckets":[{"source":"b","owner":{"id":"o","display_name":"O"}}]}],"work_dir":")" +
           folder + "\"}";
  }
  static std::vector<std::string> locations() { return {"ring"}; }
  static std::vector<std::string> bad_configs() {
    return {
        "", "{}",
        R"({"settings":{"store":{"type":"sqlite"}},"work_dir":"/w","locations":[{"name":"ring","endpoint":"x","sessions":[1],"buckets":[]}]})"};
  }
  static std::vector<Message> records() {
    return {{"b%2Fk", R"({"type":"put","bucket":"b","key":"k","value":"{\"content-length\":1}"})"}, {"b%2Fk", "nonsense"}, {"x%2Fk", ""}};
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Ingestion, ServiceBehaviour, IngestionBehaviour);

}  // namespace fermata::sdk::testing
