// Every way to be wrong: the line it is reported on, and what the message must say.

#include "config/config.hpp"
#include "temp_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

namespace fermata::config {
namespace {

using fermata::testing::TempFolder;
using ::testing::HasSubstr;
using ::testing::Not;

struct Wrong {
  std::string name;
  std::string yaml;
  int line;
  std::vector<std::string> says;

  friend void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.yaml; }
};

class Problems : public ::testing::TestWithParam<Wrong> {};

TEST_P(Problems, AreReportedAtTheirLineWithAHint) {
  const TempFolder folder;
  const auto file = folder.write("f.yaml", GetParam().yaml);
  const auto result = load(file);
  EXPECT_FALSE(result.config);
  ASSERT_EQ(result.problems.size(), 1u) << (result.problems.empty() ? "none" : result.problems.back().text());
  EXPECT_EQ(result.problems[0].line, GetParam().line);
  const auto text = result.problems[0].text();
  EXPECT_THAT(text, HasSubstr(file + ":" + std::to_string(GetParam().line) + ": "));
  for (const auto& fragment : GetParam().says) EXPECT_THAT(text, HasSubstr(fragment));
}

std::string extension(const std::string& rest) { return "extensions:\n  - name: x\n" + rest; }

INSTANTIATE_TEST_SUITE_P(
    Keys, Problems,
    ::testing::Values(
        Wrong{"UnknownKey", "rest:\n  prot: 1\n", 2, {"rest.prot: unknown key 'prot'", "allowed: address, port", "did you mean 'port'?"}},
        Wrong{"CamelCaseKey", "dataDir: /x\n", 1, {"unknown key 'dataDir'", "did you mean 'data_dir'?"}},
        Wrong{"StrangeKey", "zzz: 1\n", 1, {"zzz: unknown key 'zzz'", "allowed: node_id, data_dir"}},
        Wrong{"UnknownKeyOfAnExtension", extension("    setings: {}\n"), 3, {"extensions[0].setings", "did you mean 'settings'?"}},
        Wrong{"UnknownKeyOfAPipeline", extension("    pipeline:\n      max_inflight: 3\n"), 4, {"did you mean 'max_in_flight'?"}},
        Wrong{"KeyTwice", "data_dir: /a\ndata_dir: /b\n", 2, {"data_dir: the key 'data_dir' stands here twice"}},
        Wrong{"KeyTwiceInSettings", extension("    settings:\n      a: 1\n      a: 2\n"), 5, {"extensions[0].settings.a", "twice"}},
        Wrong{"KeyTwiceInALocation",
              extension("    locations:\n      - name: l\n        a: 1\n        a: 2\n"),
              6,
              {"locations[0].a", "twice"}},
        Wrong{"MergeKey", "log: &l {level: info}\nrest:\n  <<: *l\n", 3, {"merge keys", "not supported"}},
        Wrong{"NameMissing", "extensions:\n  - plugin: x.so\n", 2, {"extensions[0]: the key 'name' is missing"}},
        Wrong{"LocationNameMissing",
              extension("    locations:\n      - {path: /x}\n"),
              4,
              {"extensions[0].locations[0]: the key 'name' is missing"}}),
    [](const auto& instance) { return instance.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, Problems,
    ::testing::Values(
        Wrong{"PortIsText", "rest:\n  port: http\n", 2, {"rest.port: 'http' is not a whole number", "allowed: 0 to 65535"}},
        Wrong{"PortTooLarge", "rest:\n  port: 65536\n", 2, {"'65536' is out of bounds", "0 to 65535"}},
        Wrong{"PortNegative", "rest: {port: -1}\n", 1, {"'-1' is out of bounds"}},
        Wrong{"PortIsAMap", "rest:\n  port: {a: 1}\n", 2, {"rest.port: a map is not a whole number"}},
        Wrong{"PortIsNothing", "rest:\n  port:\n", 2, {"rest.port: nothing is not a whole number"}},
        Wrong{"PortOverflows", "rest: {port: 99999999999999999999}\n", 1, {"is not a whole number"}},
        Wrong{"DurationWithoutUnit", "shutdown_timeout: 10\n", 1, {"'10' is not a duration", "1s to 1h", "write it with a unit"}},
        Wrong{"DurationTooLong", "shutdown_timeout: 2h\n", 1, {"out of bounds", "1s to 1h"}},
        Wrong{"SizeWithForeignUnit", "queue:\n  producer_buffer: 64MB\n", 2, {"'64MB' is not a size", "64KiB"}},
        Wrong{"SizeTooSmall", "queue: {producer_buffer: 1KiB}\n", 1, {"out of bounds", "1MiB to 4GiB"}},
        Wrong{"BoolInOldYaml", extension("    required: yes\n"), 3, {"'yes' is not true or false"}},
        Wrong{"BoolInQuotes", extension("    required: 'true'\n"), 3, {"the string 'true' is not true or false", "without quotes"}},
        Wrong{"PortInQuotes",
              "rest:\n  port: \"8900\"\n",
              2,
              {"rest.port: the string '8900' is not a whole number", "0 to 65535", "without quotes"}},
        Wrong{"UnknownLevel", "log:\n  level: warning\n", 2, {"'warning' is not known; allowed: debug, info, warn, error", "mean 'warn'?"}},
        Wrong{"NotAnAddress",
              "rest: {address: localhost}\n",
              1,
              {"rest.address: 'localhost' is not accepted; allowed: an IPv4 or IPv6 address"}},
        Wrong{"NotARange",
              "rest:\n  allow_from:\n    - 10.0.0.0/8\n    - 10.0.0.0/33\n",
              4,
              {"rest.allow_from[1]: '10.0.0.0/33' is not accepted"}},
        Wrong{"RangeListIsAString", "rest: {allow_from: 10.0.0.1}\n", 1, {"'10.0.0.1' is not a list of strings"}},
        Wrong{"EmptyPath", "data_dir: ''\n", 1, {"data_dir: it is empty; allowed: a path"}},
        Wrong{"RelativeBasePath", "cluster: {base_path: backbeat/}\n", 1, {"cluster.base_path", "an absolute path"}},
        Wrong{"BrokerWithoutPort", "kafka:\n  brokers: [kafka-1]\n", 2, {"kafka.brokers[0]: 'kafka-1' is not accepted", "host:port"}},
        Wrong{"PortOutOfBounds", "zookeeper: {servers: [\"zk:65536\"]}\n", 1, {"zookeeper.servers[0]: 'zk:65536' is not accepted"}},
        Wrong{"NoServer", "redis: {servers: []}\n", 1, {"redis.servers: the list is empty", "at least one"}},
        Wrong{"RelativeSocket", "redis: {servers: [\"unix:redis.sock\"]}\n", 1, {"'unix:redis.sock' is not accepted", "unix:/path"}},
        Wrong{"RelativeChroot", "zookeeper: {chroot: site-a}\n", 1, {"zookeeper.chroot: 'site-a' is not accepted"}},
        Wrong{
            "NestedProperty", "kafka:\n  properties:\n    sasl: {mechanism: PLAIN}\n", 3, {"kafka.properties.sasl: a map is not a value"}},
        Wrong{"PropertyTwice", "kafka: {properties: {a: 1, a: 2}}\n", 1, {"the key 'a' stands here twice"}},
        Wrong{"NodeIdWithASlash", "node_id: a/b\n", 1, {"node_id: 'a/b' is not accepted"}},
        Wrong{"RetriesUpsideDown",
              extension("    pipeline:\n      retry_first: 10s\n      retry_max: 5s\n"),
              4,
              {"retry_first", "longer than retry_max"}}),
    [](const auto& instance) { return instance.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Names, Problems,
    ::testing::Values(
        Wrong{"ExtensionTwice", "extensions:\n  - name: x\n  - name: x\n", 3, {"extensions[1].name: the name 'x' is taken on line 2"}},
        Wrong{"LocationTwice",
              extension("    locations:\n      - name: l\n      - name: l\n"),
              5,
              {"locations[1].name", "'l' is taken on line 4"}},
        Wrong{"ExtensionWithoutAName", "extensions:\n  - name: ''\n", 2, {"extensions[0].name: it is empty"}},
        Wrong{"LocationWithoutAName", extension("    locations:\n      - name: ''\n"), 4, {"extensions[0].locations[0].name: it is empty"}},
        Wrong{"LocationNamedAll", extension("    locations:\n      - name: all\n"), 4, {"'all' is not accepted", "not all"}},
        Wrong{"LocationWithASlash", extension("    locations:\n      - name: a/b\n"), 4, {"'a/b' is not accepted"}},
        Wrong{"ServiceInCapitals", "extensions:\n  - name: CRR\n", 2, {"'CRR' is not accepted", "lower-case"}},
        Wrong{"ServiceNamedAsARoute", "extensions:\n  - name: metrics\n", 2, {"'metrics' is not accepted", "not backbeat, healthcheck"}}),
    [](const auto& instance) { return instance.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Shapes, Problems,
    ::testing::Values(
        Wrong{"EmptyFile", "", 1, {"the file is empty", "extensions: []"}}, Wrong{"OnlyComments", "# nothing\n", 1, {"the file is empty"}},
        Wrong{"TwoDocuments", "log: {}\n---\nlog: {}\n", 2, {"second YAML document"}},
        Wrong{"NotYaml", "rest: {port: 1\nlog: [\n", 2, {"this is not YAML"}},
        Wrong{"AListAtTheTop", "- a\n", 1, {"a list stands here; allowed: a map with the keys"}},
        Wrong{"RestIsAList", "rest: [1]\n", 1, {"rest: a list stands here"}},
        Wrong{"ExtensionsIsAMap", "extensions: {name: x}\n", 1, {"extensions: a map stands here; allowed: a list of extensions"}},
        Wrong{"LocationIsAString",
              extension("    locations:\n      - paris\n"),
              4,
              {"locations[0]: a plain value stands here", "- name: paris"}},
        Wrong{"SettingsIsAList", extension("    settings: [1]\n"), 3, {"settings: a list stands here"}},
        Wrong{"KeyIsAList", "? [a]\n: 1\n", 1, {"a key must be a plain word"}},
        Wrong{"ForeignTag", "data_dir: !secret x\n", 1, {"the tag '!secret' is not supported"}},
        Wrong{"AliasWithinItself", "log: &a [*a]\n", 1, {"within its own anchor"}},
        Wrong{"TooDeep", "log: " + std::string(70, '[') + std::string(70, ']') + "\n", 1, {"deeper than 64"}},
        Wrong{"NotUtf8", "log: {}\ndata_dir: \"\xff\"\n", 2, {"not UTF-8"}},
        Wrong{"NumberTooLarge", extension("    settings: {n: 1e999}\n"), 3, {"settings.n: the number '1e999'", "in quotes"}},
        Wrong{"NumberThatIsNone", extension("    settings: {n: .nan}\n"), 3, {"settings.n: the number '.nan'"}}),
    [](const auto& instance) { return instance.param.name; });

INSTANTIATE_TEST_SUITE_P(
    References, Problems,
    ::testing::Values(Wrong{"UnsetVariable",
                            extension("    settings:\n      key: ${env:FERMATA_TEST_UNSET}\n"),
                            4,
                            {"extensions[0].settings.key: environment variable 'FERMATA_TEST_UNSET' is not set"}},
                      Wrong{"MissingFile",
                            extension("    locations: [{name: l, key: \"${file:no-such}\"}]\n"),
                            3,
                            {"locations[0].key", "/no-such' of '${file:no-such}' cannot be read: No such file"}},
                      Wrong{"FolderInsteadOfAFile", "data_dir: ${file:.}\n", 1, {"not a regular file"}},
                      Wrong{"UnknownReference", "data_dir: ${vault:x}\n", 1, {"'${vault:x}' is not known", "${env:NAME}"}},
                      Wrong{"NotClosed", "data_dir: ${env:HOME\n", 1, {"'${' is not closed"}},
                      Wrong{"BadVariableName", "data_dir: ${env:A-B}\n", 1, {"does not name an environment variable"}}),
    [](const auto& instance) { return instance.param.name; });

TEST(ProblemsOfAFile, ComeAllAtOnceInTheOrderOfTheirLines) {
  const TempFolder folder;
  const auto file = folder.write("f.yaml", "rest:\n  port: x\nlog:\n  level: loud\nextensions:\n  - name: a\n    nope: 1\n  - name: a\n");
  const auto result = load(file);
  std::vector<int> lines;
  for (const auto& problem : result.problems) lines.push_back(problem.line);
  EXPECT_THAT(lines, ::testing::ElementsAre(2, 4, 7, 8));
}

TEST(ProblemsOfAFile, NeverShowWhatAReferenceWasReplacedBy) {
  const TempFolder folder;
  folder.write("secret", "hunter2");
  ::setenv("FERMATA_TEST_SECRET", "hunter2", 1);
  for (const auto* yaml : {"rest: {port: '${file:secret}'}\n", "log: {level: '${env:FERMATA_TEST_SECRET}'}\n",
                           "node_id: '/${file:secret}'\n", "extensions:\n  - name: '/${file:secret}'\n  - name: '/${file:secret}'\n"}) {
    const auto result = load(folder.write("f.yaml", yaml));
    EXPECT_FALSE(result.problems.empty());
    for (const auto& problem : result.problems) EXPECT_THAT(problem.text(), Not(HasSubstr("hunter2")));
  }
}

TEST(ProblemsOfAFile, AMissingFileIsNamed) {
  const auto result = load("/nonexistent/fermata.yaml");
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_THAT(result.problems[0].text(), HasSubstr("/nonexistent/fermata.yaml: the configuration file cannot be read: No such file"));
}

TEST(ProblemsOfAFile, AliasesThatMultiplyAreStopped) {
  std::string yaml = "log: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    yaml += "k" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) yaml += "*a" + std::to_string(i - 1) + (j < 9 ? "," : "]\n");
  }
  const TempFolder folder;
  const auto result = load(folder.write("f.yaml", yaml));
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_THAT(result.problems[0].text(), HasSubstr("more than 1000000 values"));
}

TEST(ProblemsOfAFile, AreShownUpToABound) {
  std::string yaml;
  for (int i = 0; i < 3'000; ++i) yaml += "key" + std::to_string(i) + ": 1\n";
  const TempFolder folder;
  const auto result = load(folder.write("f.yaml", yaml));
  ASSERT_EQ(result.problems.size(), 1'001u);
  EXPECT_THAT(result.problems.back().text(), HasSubstr("only the first 1000"));
}

}  // namespace
}  // namespace fermata::config
