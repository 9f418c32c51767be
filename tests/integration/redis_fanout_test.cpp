#include "integration/redis_fixture.hpp"

#include <string>
#include <vector>

namespace fermata::testing {
namespace {

class RedisFanout : public RedisTest {};

TEST_F(RedisFanout, SubscribesAnewInPlaceOfWhatWasBefore) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  Fanout& fanout = backend->fanout();
  Calls<Message> former;
  ASSERT_TRUE(fanout.subscribe({"a", "b"}, {[&](auto channel, auto message) {
                                              former.add({std::string(channel), std::string(message)});
                                            },
                                            nullptr}));
  ASSERT_TRUE(fanout.subscribe({"b", "c", "c"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  for (const std::string channel : {"a", "b", "c"}) ASSERT_TRUE(fanout.publish(channel, "x"));
  ASSERT_TRUE(messages_.reach(2));
  EXPECT_EQ(messages_.all(), (std::vector<Message>{{"b", "x"}, {"c", "x"}}));
  EXPECT_EQ(former.count(), 0u);
  EXPECT_EQ(server.run({"PUBSUB", "NUMSUB", "a", "b", "c"}), "a 0 b 1 c 1");
}

TEST_F(RedisFanout, MaySubscribeToNothing) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  ASSERT_TRUE(backend->fanout().subscribe({}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  ASSERT_TRUE(backend->fanout().subscribe({"a"}, listener()));
  ASSERT_TRUE(subscribed_.reach(2));
  ASSERT_TRUE(backend->fanout().subscribe({}, listener()));
  ASSERT_TRUE(subscribed_.reach(3));
  EXPECT_EQ(server.run({"PUBSUB", "CHANNELS"}), "");
  EXPECT_TRUE(backend->fanout().health().ok);
}

TEST_F(RedisFanout, TellsOnlyTheLastListenerThatItsSubscriptionStands) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  for (int round = 0; round < 200; ++round) {
    Calls<int> stands;
    const std::string channel = "c" + std::to_string(round);
    ASSERT_TRUE(backend->fanout().subscribe({channel + "-early"}, {nullptr, nullptr}));
    ASSERT_TRUE(backend->fanout().subscribe({channel}, {nullptr, [&] { stands.add(1); }}));
    ASSERT_TRUE(stands.reach(1));
    ASSERT_EQ(server.run({"PUBSUB", "CHANNELS"}), channel);
    ASSERT_TRUE(backend->fanout().subscribe({}, {nullptr, nullptr}));
  }
}

TEST_F(RedisFanout, SubscribesToTenThousandChannels) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  std::vector<std::string> channels;
  for (int i = 0; i < 10'000; ++i) channels.push_back("backbeat-replication-location-" + std::to_string(i));
  ASSERT_TRUE(backend->fanout().subscribe(channels, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  for (const std::string& channel : channels) ASSERT_TRUE(backend->fanout().publish(channel, "x"));
  ASSERT_TRUE(messages_.reach(channels.size()));
  channels.resize(5'000);
  ASSERT_TRUE(backend->fanout().subscribe(channels, listener()));
  ASSERT_TRUE(subscribed_.reach(2));
  EXPECT_EQ(server.run({"PUBSUB", "NUMSUB", "backbeat-replication-location-4999", "backbeat-replication-location-5000"}),
            "backbeat-replication-location-4999 1 backbeat-replication-location-5000 0");
  server.stop();
  server.start();
  EXPECT_TRUE(subscribed_.reach(3));
}

TEST_F(RedisFanout, HearsOtherNodesAndForeignClients) {
  RedisServer server;
  const auto one = open_ready(options({server.address()}));
  const auto other = open_ready(options({server.address()}));
  ASSERT_TRUE(one->fanout().subscribe({"backbeat-replication-paris"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  ASSERT_TRUE(other->fanout().publish("backbeat-replication-paris", "ours"));
  ASSERT_TRUE(messages_.reach(1));
  EXPECT_EQ(server.run({"PUBLISH", "backbeat-replication-paris", R"({"action":"pauseService"})"}), "1");
  ASSERT_TRUE(messages_.reach(2));
  EXPECT_EQ(messages_.all().back().second, R"({"action":"pauseService"})");
}

TEST_F(RedisFanout, RefusesWhatWouldMakeTooMuchWait) {
  RedisServer server;
  auto patient = options({server.address()});
  patient.ping_interval = kDeadline;
  const auto backend = open_ready(std::move(patient));
  server.hang(true);
  const std::string message(1u << 20, 'm');
  Status last;
  for (int i = 0; i < 20 && last; ++i) last = backend->fanout().publish("c", message);
  EXPECT_EQ(last.code(), Code::kUnavailable);
  EXPECT_NE(last.message().find("8 MiB of messages wait"), std::string::npos);
  server.hang(false);
  EXPECT_TRUE(eventually([&] { return backend->fanout().publish("c", message).is_ok(); }));
}

}  // namespace
}  // namespace fermata::testing
