#include "journal/webhook.hpp"

#include "unit/crr/directory_fixture.hpp"

#include "s3/encode.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr::testing {
namespace {

using sdk::testing::Message;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr const char* kToken = "0123456789abcdef";

std::string record(const std::string& name, const std::string& key) {
  return R"({"eventName":")" + name + R"(","eventTime":"2026-11-18T16:26:40.000Z","s3":{"bucket":{"name":"photos"},"object":{"key":")" +
         key + R"("}}})";
}
std::string body(const std::string& records) { return R"({"EventName":"s3:ObjectCreated:Put","Records":[)" + records + "]}"; }

class WebhookTest : public ::testing::Test {
 protected:
  WebhookTest() {
    EXPECT_TRUE(webhook_.add().is_ok());
    intake_.start();
  }
  ~WebhookTest() override {
    intake_.stop();
    EXPECT_THAT(fake_.violations(), IsEmpty());
  }

  sdk::testing::Response post(const std::string& text, const std::string& authorization = std::string("Bearer ") + kToken) {
    const auto exchange = fake_.request("POST", "events", text, {}, {{"authorization", authorization}});
    EXPECT_TRUE(eventually([&] {
      fake_.run_ready();
      return exchange->ended();
    }));
    return exchange->result();
  }

  sdk::testing::FakeHost fake_;
  sdk::Host host_{fake_.raw()};
  const Rules rules_{{}, {"paris"}};
  EventIntake intake_{host_, rules_, "backbeat-replication"};
  Webhook webhook_{host_, intake_, kToken};
};

TEST_F(WebhookTest, QueuesARecordForEachEvent) {
  const auto answer = post(body(record("s3:ObjectCreated:Put", "a+b") + "," + record("s3:ObjectRemoved:Delete", "c%2Fd")));
  EXPECT_EQ(answer.status, 200) << answer.body;
  const auto produced = fake_.produced();
  EXPECT_THAT(produced, UnorderedElementsAre(Field(&Message::key, "photos%2Fa%20b"), Field(&Message::key, "photos%2Fc%2Fd")));
  for (const auto& message : produced) EXPECT_EQ(message.topic, "backbeat-replication");
}

TEST_F(WebhookTest, LetsInWhoeverKnowsTheToken) {
  const std::string json = body(record("s3:ObjectCreated:Put", "k"));
  EXPECT_EQ(post(json, kToken).status, 200);
  EXPECT_EQ(post(json, "Basic " + s3::to_base64(std::string("fermata:") + kToken)).status, 200);
  EXPECT_EQ(post(json, std::string("bearer ") + kToken).status, 200);
  const auto before = fake_.produced().size();
  for (const std::string wrong : {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcdef0", "0123456789abcde",
                                  "Bearer 0123456789ABCDEF", "Basic MDEyMzQ1Njc4OWFiY2RlZg=="}) {
    const auto answer = post(json, wrong);
    EXPECT_EQ(answer.status, 401) << wrong;
    EXPECT_THAT(answer.body, HasSubstr("Unauthorized"));
    EXPECT_THAT(answer.body, Not(HasSubstr(kToken)));
  }
  const auto exchange = fake_.request("POST", "events", json);
  EXPECT_EQ(exchange->result().status, 401);
  EXPECT_EQ(fake_.produced().size(), before);
  EXPECT_FALSE(fake_.logged(kToken));
}

TEST_F(WebhookTest, AnswersOnlyWhenTheEventsAreDurable) {
  const auto exchange = fake_.request("POST", "events", body(record("s3:ObjectCreated:Put", "k")), {}, {{"authorization", kToken}});
  ASSERT_TRUE(eventually([this] { return fake_.produced().size() == 1; }));
  EXPECT_FALSE(exchange->ended());
  EXPECT_TRUE(eventually([&] {
    fake_.run_ready();
    return exchange->ended();
  }));
  EXPECT_EQ(exchange->result().status, 200);
}

TEST_F(WebhookTest, AsksToSendAgainWhatCannotBeKept) {
  const std::string json = body(record("s3:ObjectCreated:Put", "a") + "," + record("s3:ObjectCreated:Put", "b"));
  fake_.set_produce_result({Code::kUnavailable, "no broker"});
  const auto answer = post(json);
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("no broker"));
  fake_.set_produce_result(Status::ok());
  fake_.refuse_produce({Code::kResourceExhausted, "the buffer is full"});
  EXPECT_EQ(post(json).status, 503);
  fake_.refuse_produce(Status::ok());
  fake_.set_kv_status({Code::kUnavailable, "no store"});
  EXPECT_EQ(post(json).status, 503);
  fake_.set_kv_status(Status::ok());
  intake_.stop();
  EXPECT_EQ(post(json).status, 503);
  EXPECT_EQ(fake_.metric("crr_webhook_posts_total", {{"result", "failed"}}), 4);
}

TEST_F(WebhookTest, RefusesWhatIsNoNotificationAndQueuesNothingOfIt) {
  for (const auto& json : {std::string("nonsense"), std::string("{}"), body(record("s3:ObjectCreated:Put", "a") + "," + "{}")}) {
    const auto answer = post(json);
    EXPECT_EQ(answer.status, 400) << json;
    EXPECT_THAT(answer.body, HasSubstr("not a bucket notification"));
  }
  EXPECT_THAT(fake_.produced(), IsEmpty());
}

TEST_F(WebhookTest, AnswersPingsAndTests) {
  EXPECT_EQ(post("").status, 200);
  EXPECT_EQ(post(R"({"Event":"s3:TestEvent","Service":"S3"})").status, 200);
  EXPECT_EQ(post(body(record("s3:ObjectRestore:Post", "k"))).status, 200);
  EXPECT_THAT(fake_.produced(), IsEmpty());
}

}  // namespace
}  // namespace fermata::crr::testing
