#include "config/config.hpp"
#include "temp_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <cstdlib>
#include <string>

namespace fermata::config {
namespace {

using fermata::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class Load : public ::testing::Test {
 protected:
  /// The configuration, which must be free of problems.
  Config loaded(std::string_view yaml) {
    const auto result = load(folder_.write("fermata.yaml", yaml));
    for (const auto& problem : result.problems) ADD_FAILURE() << problem.text();
    return result.config.value_or(Config{});
  }

  /// What `settings` of the only extension become.
  std::string settings(std::string_view yaml) {
    const auto config = loaded("extensions:\n  - name: x\n    settings: " + std::string(yaml) + "\n");
    return config.extensions.empty() ? "" : config.extensions[0].settings_json;
  }

  TempFolder folder_;
};

TEST_F(Load, AFileWithoutSettingsHasTheDefaults) {
  const auto config = loaded("extensions: []\n");
  EXPECT_EQ(config.rest.port, 8900);
  EXPECT_EQ(config.rest.address, "127.0.0.1");
  EXPECT_EQ(config.shutdown_timeout, 10s);
  EXPECT_EQ(config.data_dir, "/var/lib/fermata");
  EXPECT_FALSE(config.node_id.empty());
  EXPECT_THAT(config.plugin_dir, EndsWith("/lib/fermata/plugins"));
  EXPECT_TRUE(config.extensions.empty());
}

TEST_F(Load, EverySectionIsRead) {
  ASSERT_EQ(setenv("FERMATA_TEST_SECRET", "hidden", 1), 0);
  const auto config = loaded(R"(
node_id: node-7
data_dir: data
plugin_dir: /opt/plugins
shutdown_timeout: 90s
rest: {address: "::", port: 0, max_body_bytes: 2MiB, read_timeout: 500ms, allow_from: ["10.0.0.0/8", "::1"]}
log: {level: debug, format: json, file: fermata.log}
cluster: {mode: distributed, base_path: /backbeattest}
zookeeper: {servers: ["zk-1:2181", "[::1]:2182"], chroot: /site, session_timeout: 4s, user: fermata, password: secret, access: creator}
redis: {servers: ["unix:/run/redis.sock"], sentinel_master: main, database: 3, key_prefix: "x:"}
kafka:
  brokers: [kafka-1:9092]
  replication_factor: 3
  static_membership: false
  properties: {security.protocol: SASL_SSL, sasl.password: "${env:FERMATA_TEST_SECRET}", linger.ms: 20}
queue: {partitions: 16, retention: 1h, producer_buffer: 128MiB}
)");
  EXPECT_EQ(config.node_id, "node-7");
  EXPECT_EQ(config.data_dir, (folder_.path() / "data").string());
  EXPECT_EQ(config.plugin_dir, "/opt/plugins");
  EXPECT_EQ(config.shutdown_timeout, 90s);
  EXPECT_EQ(config.rest.port, 0);
  EXPECT_EQ(config.rest.max_body_bytes, 2u << 20);
  EXPECT_EQ(config.rest.read_timeout, 500ms);
  EXPECT_THAT(config.rest.allow_from, ElementsAre("10.0.0.0/8", "::1"));
  EXPECT_EQ(config.log.level, "debug");
  EXPECT_TRUE(config.log.json);
  EXPECT_EQ(config.log.file, (folder_.path() / "fermata.log").string());
  EXPECT_EQ(config.cluster.mode, ClusterConfig::Mode::kDistributed);
  EXPECT_EQ(config.cluster.base_path, "/backbeattest");
  EXPECT_THAT(config.zookeeper.servers, ElementsAre("zk-1:2181", "[::1]:2182"));
  EXPECT_EQ(config.zookeeper.chroot, "/site");
  EXPECT_EQ(config.zookeeper.session_timeout, 4s);
  EXPECT_EQ(config.zookeeper.password, "secret");
  EXPECT_TRUE(config.zookeeper.only_creator);
  EXPECT_THAT(config.redis.servers, ElementsAre("unix:/run/redis.sock"));
  EXPECT_EQ(config.redis.sentinel_master, "main");
  EXPECT_EQ(config.redis.database, 3);
  EXPECT_EQ(config.redis.key_prefix, "x:");
  EXPECT_EQ(config.kafka.replication_factor, 3);
  EXPECT_FALSE(config.kafka.static_membership);
  EXPECT_THAT(config.kafka.properties,
              UnorderedElementsAre(Pair("security.protocol", "SASL_SSL"), Pair("sasl.password", "hidden"), Pair("linger.ms", "20")));
  EXPECT_EQ(config.queue.partitions, 16);
  EXPECT_EQ(config.queue.retention, 1h);
  EXPECT_EQ(config.queue.producer_buffer_bytes, 128u << 20);
}

TEST_F(Load, ExtensionsAreReadWithTheirLocationsAndWhereTheyStand) {
  const auto config = loaded(R"(extensions:
  - name: crr
    required: true
    settings: {source: /data/source}
    locations:
      - name: paris
        path: /data/paris
      - {name: rome, paused: true, path: /data/rome}
    pipeline: {max_in_flight: 8, retry_first: 1s}
  - name: second
    plugin: plugins/second-1.so
)");
  ASSERT_EQ(config.extensions.size(), 2u);
  const auto& crr = config.extensions[0];
  EXPECT_EQ(crr.plugin, "crr.so");
  EXPECT_TRUE(crr.required);
  EXPECT_EQ(crr.settings_json, R"({"source":"/data/source"})");
  EXPECT_EQ(crr.pipeline.max_in_flight, 8u);
  EXPECT_EQ(crr.pipeline.retry_first, 1s);
  EXPECT_EQ(crr.pipeline.max_attempts, 10u);
  ASSERT_EQ(crr.locations.size(), 2u);
  EXPECT_EQ(crr.locations[0].json, R"({"name":"paris","path":"/data/paris"})");
  EXPECT_FALSE(crr.locations[0].paused);
  EXPECT_EQ(crr.locations[1].json, R"({"name":"rome","path":"/data/rome"})");
  EXPECT_EQ(crr.locations[1].paused, true);
  EXPECT_EQ(crr.path, "extensions[0]");
  EXPECT_EQ(crr.line, 2);
  EXPECT_EQ(crr.locations[1].line, 8);
  EXPECT_EQ(config.extensions[1].plugin, (folder_.path() / "plugins/second-1.so").string());
}

TEST_F(Load, AJsonPointerLeadsToItsLineOrToThatOfItsParent) {
  const auto config = loaded(R"(extensions:
  - name: crr
    settings:
      source:
        a/b: 1
    locations:
      - name: paris
        path: /x
)");
  EXPECT_EQ(config.line_of("/extensions/0/settings/source/a~1b"), 5);
  EXPECT_EQ(config.line_of("/extensions/0/settings/source/missing/deeper"), 4);
  EXPECT_EQ(config.line_of("/extensions/0/locations/0/path"), 8);
  EXPECT_EQ(config.line_of("/extensions/0/locations/0"), 7);
  EXPECT_EQ(config.line_of("/nothing"), 1);
}

TEST_F(Load, FreeFormScalarsFollowYamlsCoreSchema) {
  EXPECT_EQ(settings("{a: 1, b: -2, c: +3, d: 0x1F, e: 0o17, f: 18446744073709551615}"),
            R"({"a":1,"b":-2,"c":3,"d":31,"e":15,"f":18446744073709551615})");
  EXPECT_EQ(boost::json::parse(settings("{a: 1.5, b: -1e3, c: .5}")), boost::json::parse(R"({"a":1.5,"b":-1000.0,"c":0.5})"));
  EXPECT_EQ(settings("{a: true, b: False, c: yes, d: null, e: ~, f: }"), R"({"a":true,"b":false,"c":"yes","d":null,"e":null,"f":null})");
  EXPECT_EQ(settings(R"({a: "1", b: '0x1F', c: "true", d: !!str 5, e: ""})"), R"({"a":"1","b":"0x1F","c":"true","d":"5","e":""})");
  EXPECT_EQ(settings("{a: 1.2.3, b: 10.1.0.0/16, c: 1e, d: e5, e: 1-2, f: 2026-11-22, g: -, h: .}"),
            R"({"a":"1.2.3","b":"10.1.0.0/16","c":"1e","d":"e5","e":"1-2","f":"2026-11-22","g":"-","h":"."})");
}

TEST_F(Load, AnchorsAndAliasesMayBeUsed) {
  EXPECT_EQ(settings("{a: &list [1, {k: v}], b: *list}"), R"({"a":[1,{"k":"v"}],"b":[1,{"k":"v"}]})");
}

TEST_F(Load, ReferencesAreReplacedWithinStringsAndStayStrings) {
  ::setenv("FERMATA_TEST_PORT", "8123", 1);
  folder_.write("secret", "s3cret\n");
  const auto config = loaded(R"(
rest: {port: "${env:FERMATA_TEST_PORT}"}
extensions:
  - name: x
    settings:
      port: ${env:FERMATA_TEST_PORT}
      key: k=${file:secret}!
      cost: 5$
      literal: "$${env:X} $$"
)");
  EXPECT_EQ(config.rest.port, 8123);
  ASSERT_EQ(config.extensions.size(), 1u);
  EXPECT_EQ(config.extensions[0].settings_json, R"({"port":"8123","key":"k=s3cret!","cost":"5$","literal":"${env:X} $"})");
}

TEST_F(Load, WhatAReferencePutsInIsNotLookedAtAgain) {
  ::setenv("FERMATA_TEST_NESTED", "${env:HOME}$$", 1);
  EXPECT_EQ(settings(R"({a: "${env:FERMATA_TEST_NESTED}"})"), R"({"a":"${env:HOME}$$"})");
}

TEST_F(Load, ExtensionsAreEqualWhereverTheyStandAndWhateverTheOrderOfTheirKeys) {
  const auto one = loaded("extensions:\n  - name: x\n    settings: {a: 1, b: 2}\n    locations: [{name: l, p: 1, q: 2}]\n");
  const auto two =
      loaded("log: {level: warn}\nextensions:\n  - name: x\n    settings: {b: 2, a: 1}\n    locations: [{q: 2, name: l, p: 1}]\n");
  const auto changed = loaded("extensions:\n  - name: x\n    settings: {a: 1, b: 2}\n    locations: [{name: l, p: 1, q: 3}]\n");
  EXPECT_TRUE(one.extensions[0] == two.extensions[0]);
  EXPECT_FALSE(one.extensions[0] == changed.extensions[0]);
}

TEST_F(Load, TenThousandLocationsLoad) {
  std::string yaml = "extensions:\n  - name: x\n    locations:\n";
  for (int i = 0; i < 10'000; ++i) yaml += "      - {name: location-" + std::to_string(i) + ", path: /data}\n";
  const auto config = loaded(yaml);
  ASSERT_EQ(config.extensions.size(), 1u);
  ASSERT_EQ(config.extensions[0].locations.size(), 10'000u);
  EXPECT_EQ(config.extensions[0].locations.back().line, 10'003);
}

TEST(AnnotatedDefault, LoadsAsItIsAndSaysTheDefaults) {
  const auto result = load(FERMATA_SOURCE_DIR "/config/fermata.yaml");
  for (const auto& problem : result.problems) ADD_FAILURE() << problem.text();
  EXPECT_TRUE(result.config);
}

}  // namespace
}  // namespace fermata::config
