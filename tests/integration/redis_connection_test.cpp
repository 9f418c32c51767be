#include "integration/redis_fixture.hpp"
#include "support/fault_gate.hpp"

#include <string>

namespace fermata::testing {
namespace {

using namespace std::chrono_literals;

class RedisConnection : public RedisTest {};

TEST_F(RedisConnection, IsRefusedWithASentenceForOptionsThatMakeNoSense) {
  const auto refused = [this](redis::Backend::Options options) {
    const auto opened = redis::Backend::open(std::move(options), clock_, log_);
    return opened ? std::string("opened") : opened.status().text();
  };
  EXPECT_NE(refused({}).find("INVALID_ARGUMENT: redis.servers is empty"), std::string::npos);
  for (const std::string server : {"localhost", ":6379", "h:", "h:0", "h:65536", "h:6x", "unix:relative", ""})
    EXPECT_NE(refused({.servers = {server}}).find("INVALID_ARGUMENT: '" + server + "'"), std::string::npos) << server;
  EXPECT_NE(refused({.servers = {"h:1"}, .sentinel_password = "secret"}).find("need redis.sentinel_master"), std::string::npos);
  EXPECT_NE(refused({.servers = {"h:1"}, .database = -1}).find("redis.database"), std::string::npos);
  EXPECT_NE(refused({.servers = {"h:1"}, .write_buffer_bytes = 1}).find("redis.write_buffer"), std::string::npos);
}

TEST_F(RedisConnection, IsMadeWhenRedisComesLaterThanWe) {
  RedisServer server;
  server.stop();
  const auto backend = open(options({server.address()}));
  ASSERT_TRUE(reports(*backend, "Redis " + server.address() + ": Connection refused"));
  const auto since = backend->fanout().health().since;
  EXPECT_EQ(backend->fanout().publish("c", "m").code(), Code::kUnavailable);
  ASSERT_TRUE(backend->fanout().subscribe({"c"}, listener()));
  server.start();
  ASSERT_TRUE(publishes(*backend));
  EXPECT_GT(backend->fanout().health().since, since);
  ASSERT_TRUE(subscribed_.reach(1));
  ASSERT_TRUE(backend->fanout().publish("c", "m"));
  ASSERT_TRUE(messages_.reach(1));
  EXPECT_EQ(messages_.all().front(), Message("c", "m"));
}

TEST_F(RedisConnection, ThatIsHalfOpenIsNoticedByPingAndMadeAnew) {
  RedisServer server;
  FaultGate gate(server.address());
  const auto backend = open_ready(options({gate.address()}));
  ASSERT_TRUE(backend->fanout().subscribe({"c"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  gate.half_open();
  ASSERT_TRUE(reports(*backend, "silent for 4000ms"));
  gate.pass();
  ASSERT_TRUE(subscribed_.reach(2));
  ASSERT_TRUE(publishes(*backend));
  ASSERT_TRUE(backend->fanout().publish("c", "after"));
  ASSERT_TRUE(messages_.reach(1));
}

TEST_F(RedisConnection, IsGivenUpWhenRedisHangs) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  server.hang(true);
  EXPECT_TRUE(reports(*backend, server.address()));
  server.hang(false);
  EXPECT_TRUE(publishes(*backend));
}

TEST_F(RedisConnection, StaysWhileNothingHappensAndPingsAreAnswered) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  ASSERT_TRUE(backend->fanout().subscribe({"c"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  const auto received = [&] {
    const std::string stats = server.run({"INFO", "commandstats"});
    const auto found = stats.find("cmdstat_ping:calls=");
    return found == std::string::npos ? 0 : std::stoi(stats.substr(found + 19));
  };
  const int before = received();
  ASSERT_TRUE(eventually([&] {
    std::this_thread::sleep_for(100ms);  // each look is a connection of its own
    return received() >= before + 8;
  }));
  EXPECT_EQ(subscribed_.count(), 1u);
  EXPECT_TRUE(backend->fanout().health().ok);
}

TEST_F(RedisConnection, ThatIsCutRefusesToPublishAndSubscribesAgain) {
  RedisServer server;
  FaultGate gate(server.address());
  const auto backend = open_ready(options({gate.address()}));
  ASSERT_TRUE(backend->fanout().subscribe({"c"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  gate.cut();
  ASSERT_TRUE(eventually([&] { return backend->fanout().publish("c", "lost").code() == Code::kUnavailable; }));
  ASSERT_TRUE(reports(*backend, gate.address()));
  gate.pass();
  ASSERT_TRUE(subscribed_.reach(2));
  EXPECT_TRUE(publishes(*backend));
}

TEST_F(RedisConnection, ResetInTheMiddleOfAMessageDeliversNoPartOfIt) {
  RedisServer server;
  FaultGate gate(server.address());
  auto behind_gate = options({gate.address()});
  const auto receiver = open_ready(std::move(behind_gate));
  const auto sender = open_ready(options({server.address()}));
  ASSERT_TRUE(receiver->fanout().subscribe({"c"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  const std::string message(1'000, 'm');
  for (std::size_t round = 1; round <= 8; ++round) {
    gate.reset_after(370 * round);
    ASSERT_TRUE(eventually([&] {
      EXPECT_TRUE(sender->fanout().publish("c", message));
      return subscribed_.count() > round;
    })) << "round "
        << round;
  }
  for (const Message& received : messages_.all()) ASSERT_EQ(received.second, message);
}

TEST_F(RedisConnection, SaysThatThePasswordIsWrongWithoutTellingItAndHealsWhenItIsRight) {
  RedisServer server({"--requirepass", "right"});
  auto wrong = options({server.address()});
  wrong.password = "s3cret-guess";
  const auto backend = open(std::move(wrong));
  ASSERT_TRUE(reports(*backend, "refuses the login (WRONGPASS): check redis.password"));
  EXPECT_EQ(backend->fanout().health().reason.find("s3cret"), std::string::npos);
  server.run({"CONFIG", "SET", "requirepass", "s3cret-guess"}, "right");
  EXPECT_TRUE(publishes(*backend));
}

TEST_F(RedisConnection, SaysThatAPasswordIsNeeded) {
  RedisServer server({"--requirepass", "right"});
  const auto backend = open(options({server.address()}));
  EXPECT_TRUE(reports(*backend, "set redis.password"));
}

TEST_F(RedisConnection, WorksAsAUserWhoMayDoNoMoreThanTheManualSays) {
  RedisServer server;
  server.run({"ACL",   "SETUSER", "fermata", "on",     ">pw",   "resetchannels", "&bb-*",        "resetkeys",    "~f:kv:*", "~f:kv-keys:*",
              "-@all", "+select", "+client", "+role",  "+ping", "+publish",      "+subscribe",   "+unsubscribe", "+multi",  "+exec",
              "+hset", "+hdel",   "+hget",   "+hmget", "+zadd", "+zrem",         "+zrangebylex", "+eval"});
  auto as_user = options({server.address()});
  as_user.user = "fermata";
  as_user.password = "pw";
  as_user.channel_prefix = "bb-";
  as_user.key_prefix = "f:";
  const auto backend = open_ready(std::move(as_user));
  ASSERT_TRUE(backend->fanout().subscribe({"c"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  ASSERT_TRUE(backend->fanout().publish("c", "m"));
  EXPECT_TRUE(messages_.reach(1));
  ASSERT_TRUE(backend->kv().put("s", "k", "v"));
  ASSERT_TRUE(backend->kv().put("s", "gone", "v"));
  ASSERT_TRUE(backend->kv().remove("s", "gone"));
  EXPECT_EQ(value_of(*backend, "k"), "v");
  EXPECT_EQ(backend->kv().scan("s", "", "", 10)->size(), 1u);
}

TEST_F(RedisConnection, NamesTheMissingPermissionToSubscribeAndHealsWhenItIsGiven) {
  RedisServer server;
  server.run({"ACL", "SETUSER", "fermata", "on", ">pw", "resetchannels", "&bb-*", "~*", "+@all"});
  auto as_user = options({server.address()});
  as_user.user = "fermata";
  as_user.password = "pw";
  const auto backend = open(std::move(as_user));
  ASSERT_TRUE(backend->fanout().subscribe({"other"}, listener()));
  ASSERT_TRUE(reports(*backend, "refuses SUBSCRIBE: NOPERM"));
  EXPECT_EQ(subscribed_.count(), 0u);
  server.run({"ACL", "SETUSER", "fermata", "&other"});
  EXPECT_TRUE(subscribed_.reach(1));
  EXPECT_TRUE(eventually([&] { return backend->fanout().health().ok; }));
}

TEST_F(RedisConnection, KeepsItsKeysInTheDatabaseThatIsNamed) {
  RedisServer server;
  auto third = options({server.address()});
  third.database = 3;
  const auto backend = open(std::move(third));
  ASSERT_TRUE(backend->kv().put("s", "k", "v"));
  EXPECT_EQ(value_of(*backend, "k"), "v");
  EXPECT_EQ(server.run({"HGET", "kv:{s}", "k"}, "", 3), "v");
  EXPECT_EQ(server.run({"DBSIZE"}), "0");
}

TEST_F(RedisConnection, NamesADatabaseThatIsNotThere) {
  RedisServer server;
  auto far = options({server.address()});
  far.database = 99;
  const auto backend = open(std::move(far));
  EXPECT_TRUE(reports(*backend, "refuses SELECT 99 (redis.database)"));
}

TEST_F(RedisConnection, GoesThroughAUnixSocket) {
  RedisServer server;
  const auto backend = open_ready(options({"unix:" + server.unix_path()}));
  ASSERT_TRUE(backend->kv().put("s", "k", "v"));
  EXPECT_EQ(value_of(*backend, "k"), "v");
}

TEST_F(RedisConnection, TriesItsServersInTurnAndPassesReplicasBy) {
  RedisServer master;
  RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
  RedisServer gone;
  gone.stop();
  const auto backend = open_ready(options({gone.address(), replica.address(), master.address()}));
  ASSERT_TRUE(backend->kv().put("s", "k", "v"));
  EXPECT_EQ(value_of(*backend, "k"), "v");
  EXPECT_EQ(master.run({"HGET", "kv:{s}", "k"}), "v");
}

TEST_F(RedisConnection, SaysThatAReplicaWillNotDo) {
  RedisServer master;
  RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
  const auto backend = open(options({replica.address()}));
  EXPECT_TRUE(reports(*backend, "it is a slave, not the master"));
}

TEST_F(RedisConnection, FollowsTheSentinelsToTheNewMaster) {
  RedisServer master;
  RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
  const RedisServer sentinel = RedisServer::sentinel(master, "watch");
  RedisServer gone;
  gone.stop();
  auto watched = options({gone.address(), sentinel.address()});
  watched.sentinel_master = "main";
  watched.sentinel_password = "watch";
  const auto backend = open_ready(std::move(watched));
  ASSERT_TRUE(backend->fanout().subscribe({"c"}, listener()));
  ASSERT_TRUE(subscribed_.reach(1));
  ASSERT_TRUE(backend->kv().put("s", "before", "1"));
  ASSERT_EQ(value_of(*backend, "before"), "1");
  const std::string replica_is_known = "num-slaves 1";
  ASSERT_TRUE(eventually([&] {
    return sentinel.run({"SENTINEL", "MASTER", "main"}, "watch").find(replica_is_known) != std::string::npos;
  }));
  ASSERT_TRUE(eventually([&] { return replica.run({"EXISTS", "kv:{s}"}) == "1"; }));
  master.kill();
  ASSERT_TRUE(backend->kv().put("s", "meanwhile", "2"));
  ASSERT_TRUE(subscribed_.reach(2)) << backend->fanout().health().reason;
  ASSERT_TRUE(publishes(*backend));
  EXPECT_EQ(value_of(*backend, "before"), "1");
  EXPECT_EQ(value_of(*backend, "meanwhile"), "2");
  EXPECT_EQ(replica.run({"HGET", "kv:{s}", "meanwhile"}), "2");
}

TEST_F(RedisConnection, SaysThatTheSentinelsDoNotKnowTheMaster) {
  RedisServer master;
  const RedisServer sentinel = RedisServer::sentinel(master, "watch");
  auto watched = options({sentinel.address()});
  watched.sentinel_master = "mian";
  watched.sentinel_password = "watch";
  const auto backend = open(watched);
  EXPECT_TRUE(reports(*backend, "Sentinel " + sentinel.address() + ": it knows no master 'mian'"));
  watched.sentinel_master.clear();
  watched.sentinel_password.clear();
  watched.password = "watch";
  const auto confused = open(watched);
  EXPECT_TRUE(reports(*confused, "it is a Sentinel: say in redis.sentinel_master"));
}

}  // namespace
}  // namespace fermata::testing
