#include "adapters/zookeeper/paths.hpp"
#include "adapters/zookeeper/write_plan.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fermata::testing {
namespace {

using zookeeper::Facts;
using Kind = StateWrite::Kind;

/// "create /a", one for each step.
std::vector<std::string> steps(std::vector<StateWrite> writes, Facts facts, const std::string& chroot = "") {
  const auto plan = zookeeper::plan_writes(writes, chroot, std::move(facts));
  std::vector<std::string> texts;
  for (const auto& one : plan.operations) {
    constexpr const char* kNames[] = {"create ", "ephemeral ", "set ", "remove "};
    texts.push_back(kNames[static_cast<int>(one.kind)] + one.path + (one.version == -1 ? "" : " at " + std::to_string(one.version)));
  }
  return texts;
}

using Steps = std::vector<std::string>;

TEST(ZooKeeperWritePlan, TakesParentsForGrantedUntilTheyAreKnownToBeMissing) {
  EXPECT_EQ(steps({{Kind::kCreate, "/a/b", "x"}}, {}), (Steps{"create /a/b"}));
  EXPECT_EQ(
      steps({{Kind::kCreate, "/a/b/c", "x"}, {Kind::kCreate, "/a/b/d", "x"}}, {{"/root", {}}, {"/root/a", {}}, {"/root/a/b", {}}}, "/root"),
      (Steps{"create /root", "create /root/a", "create /root/a/b", "create /root/a/b/c", "create /root/a/b/d"}));
}

TEST(ZooKeeperWritePlan, MakesAnewAParentThatTheBatchHasRemoved) {
  EXPECT_EQ(steps({{Kind::kRemove, "/a"}, {Kind::kCreate, "/a/b", "x"}}, {}), (Steps{"remove /a", "create /a", "create /a/b"}));
}

TEST(ZooKeeperWritePlan, ReplacesWhatStandsInAnEphemeralEntrysPlace) {
  const std::vector<StateWrite> write{{Kind::kEphemeral, "/a", "x"}};
  EXPECT_EQ(steps(write, {{"/a", {}}}), (Steps{"ephemeral /a"}));
  EXPECT_EQ(steps(write, {{"/a", {.exists = true, .ours = true, .version = 3}}}), (Steps{"set /a at 3"}));
  EXPECT_EQ(steps(write, {{"/a", {.exists = true, .ours = false, .version = 3}}}), (Steps{"remove /a", "ephemeral /a"}));
  EXPECT_EQ(steps({{Kind::kCreate, "/a", "x"}, {Kind::kEphemeral, "/a", "y"}}, {{"/a", {}}}),
            (Steps{"create /a", "remove /a", "ephemeral /a"}));
}

TEST(ZooKeeperWritePlan, NeedsToKnowEphemeralEntriesAndParentsOnlyWhenAsked) {
  const std::vector<StateWrite> writes{{Kind::kCreate, "/a/b/c", "x"}, {Kind::kEphemeral, "/a/e", "x"}, {Kind::kPut, "/p/q", "x"}};
  EXPECT_EQ(zookeeper::needed_facts(writes, "", false), (std::set<std::string>{"/a/e"}));
  EXPECT_EQ(zookeeper::needed_facts(writes, "", true), (std::set<std::string>{"/a", "/a/b", "/a/e"}));
}

TEST(ZooKeeperPaths, AreRefusedWhenZooKeeperWouldNotTakeThem) {
  for (const char* path : {"/a", "/a/b", "/a.b/..c", "/a b/\xc3\xa9"}) EXPECT_TRUE(zookeeper::check_path(path)) << path;
  for (const std::string path : {"", "/", "a", "/a/", "//a", "/a//b", "/.", "/a/../b", "/a/.", "/a\nb"})
    EXPECT_FALSE(zookeeper::check_path(path)) << path;
  EXPECT_FALSE(zookeeper::check_path(std::string_view("/a\0b", 4)));
}

}  // namespace
}  // namespace fermata::testing
