#include "contract/contract.hpp"
#include "contract/eventually.hpp"

#include <atomic>
#include <charconv>
#include <string>
#include <thread>
#include <vector>

namespace fermata::testing {
namespace {

using Kind = StateWrite::Kind;

Result<Version> create(StateStore& store, const std::string& path, const std::string& data) {
  return write_one(store, {Kind::kCreate, path, data});
}

std::string data_of(StateStore& store, const std::string& path) {
  const auto entry = store.get(path);
  if (!entry) return entry.status().text();
  return *entry ? (*entry)->data : "(none)";
}

TEST_P(StateStoreContract, AnUnknownPathIsNoError) {
  const auto entry = port().get("/a/b");
  ASSERT_TRUE(entry) << entry.status().text();
  EXPECT_FALSE(entry->has_value());
  const auto children = port().children("/a/b");
  ASSERT_TRUE(children);
  EXPECT_TRUE(children->empty());
}

TEST_P(StateStoreContract, VersionsBeginAtZeroAndCountUp) {
  ASSERT_EQ(*create(port(), "/a/b", "one"), 0);
  EXPECT_EQ(*write_one(port(), {Kind::kPut, "/a/b", "two", 0}), 1);
  EXPECT_EQ(*write_one(port(), {Kind::kPut, "/a/b", "three"}), 2);
  const auto entry = *port().get("/a/b");
  EXPECT_EQ(entry->path, "/a/b");
  EXPECT_EQ(entry->data, "three");
  EXPECT_EQ(entry->version, 2);
}

TEST_P(StateStoreContract, CreateRefusesAPathThatIsThere) {
  ASSERT_TRUE(create(port(), "/a", "one"));
  const auto again = create(port(), "/a", "two");
  EXPECT_EQ(again.status().code(), Code::kAlreadyExists);
  EXPECT_NE(again.status().message().find("/a"), std::string::npos);
  EXPECT_EQ(data_of(port(), "/a"), "one");
}

TEST_P(StateStoreContract, PutWithAnotherVersionIsAborted) {
  ASSERT_TRUE(create(port(), "/a", "one"));
  ASSERT_TRUE(write_one(port(), {Kind::kPut, "/a", "two", 0}));
  const auto stale = write_one(port(), {Kind::kPut, "/a", "three", 0});
  EXPECT_EQ(stale.status().code(), Code::kAborted);
  EXPECT_NE(stale.status().message().find("/a"), std::string::npos);
  EXPECT_EQ(data_of(port(), "/a"), "two");
}

TEST_P(StateStoreContract, PutAndRemoveOfWhatIsNotThereAreNotFound) {
  EXPECT_EQ(write_one(port(), {Kind::kPut, "/a", "x"}).status().code(), Code::kNotFound);
  EXPECT_EQ(write_one(port(), {Kind::kRemove, "/a"}).status().code(), Code::kNotFound);
}

TEST_P(StateStoreContract, RemoveObeysTheVersionAndSparesParents) {
  ASSERT_TRUE(create(port(), "/a/b", "x"));
  EXPECT_EQ(write_one(port(), {Kind::kRemove, "/a"}).status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(write_one(port(), {Kind::kRemove, "/a/b", "", 7}).status().code(), Code::kAborted);
  EXPECT_EQ(*write_one(port(), {Kind::kRemove, "/a/b", "", 0}), 0);
  EXPECT_EQ(data_of(port(), "/a/b"), "(none)");
  EXPECT_TRUE(write_one(port(), {Kind::kRemove, "/a"}));
}

TEST_P(StateStoreContract, ParentsAreMadeWithEmptyData) {
  ASSERT_TRUE(create(port(), "/a/b/c", "x"));
  EXPECT_EQ(data_of(port(), "/a"), "");
  EXPECT_EQ(data_of(port(), "/a/b"), "");
}

TEST_P(StateStoreContract, ChildrenAreTheDirectOnesInByteOrder) {
  for (const char* path : {"/s/b", "/s/a", "/s/a/deep", "/s/a-", "/s/B", "/sibling", "/s/c"}) ASSERT_TRUE(create(port(), path, path));
  std::vector<std::string> paths;
  const auto children = *port().children("/s");
  for (const auto& entry : children) {
    paths.push_back(entry.path);
    EXPECT_EQ(entry.data, entry.path);
  }
  EXPECT_EQ(paths, (std::vector<std::string>{"/s/B", "/s/a", "/s/a-", "/s/b", "/s/c"}));
}

TEST_P(StateStoreContract, ABatchAppliesWholeOrNotAtAll) {
  ASSERT_TRUE(create(port(), "/a", "old"));
  const std::vector<StateWrite> bad{{Kind::kPut, "/a", "new"}, {Kind::kCreate, "/x/y", "new"}, {Kind::kPut, "/missing", "x"}};
  EXPECT_EQ(port().write(bad).status().code(), Code::kNotFound);
  EXPECT_EQ(data_of(port(), "/a"), "old");
  EXPECT_EQ(data_of(port(), "/x"), "(none)");
  const std::vector<StateWrite> good{{Kind::kPut, "/a", "new"}, {Kind::kCreate, "/x/y", "new"}, {Kind::kRemove, "/x/y"}};
  EXPECT_EQ(*port().write(good), (std::vector<Version>{1, 0, 0}));
  restart();
  EXPECT_EQ(data_of(port(), "/a"), "new");
  EXPECT_EQ(data_of(port(), "/x/y"), "(none)");
}

TEST_P(StateStoreContract, ABatchHasAThousandWritesAtMost) {
  std::vector<StateWrite> writes;
  for (int i = 0; i < 1'000; ++i) writes.push_back({Kind::kCreate, "/many/" + std::to_string(i), "x"});
  ASSERT_TRUE(port().write(writes));
  EXPECT_EQ(port().children("/many")->size(), 1'000u);
  writes.push_back({Kind::kCreate, "/many/more", "x"});
  EXPECT_EQ(port().write(writes).status().code(), Code::kInvalidArgument);
}

TEST_P(StateStoreBounds, NonsensePathsAndHugeEntriesAreRefused) {
  for (const char* path : {"", "/", "a", "/a/", "/a//b"})
    EXPECT_EQ(create(port(), path, "x").status().code(), Code::kInvalidArgument) << path;
  EXPECT_EQ(create(port(), "/a", std::string((512u << 10) + 1, 'x')).status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(create(port(), "/a", std::string(512u << 10, 'x')));
}

TEST_P(StateStoreContract, StateAndVersionsSurviveARestart) {
  const std::string binary("\0\xff{}", 4);
  ASSERT_TRUE(create(port(), "/a/b", "x"));
  ASSERT_TRUE(write_one(port(), {Kind::kPut, "/a/b", binary}));
  restart();
  const auto entry = *port().get("/a/b");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->data, binary);
  EXPECT_EQ(entry->version, 1);
}

TEST_P(StateStoreContract, EphemeralsAreReplacedAtWillAndVanishWithTheSession) {
  ASSERT_TRUE(create(port(), "/nodes/kept", "x"));
  EXPECT_EQ(*write_one(port(), {Kind::kEphemeral, "/nodes/n1", "one"}), 0);
  EXPECT_EQ(*write_one(port(), {Kind::kEphemeral, "/nodes/n1", "two"}), 1);
  EXPECT_EQ(port().children("/nodes")->size(), 2u);
  EXPECT_EQ(data_of(port(), "/nodes/n1"), "two");
  restart();
  EXPECT_TRUE(eventually([&] { return port().children("/nodes")->size() == 1; }));
  EXPECT_EQ(data_of(port(), "/nodes/kept"), "x");
}

TEST_P(StateStoreContract, AWatchHearsOfThePathAndItsChildren) {
  Calls<int> calls;
  const auto watch = port().watch("/s", [&] { calls.add(1); });
  std::size_t heard = 0;
  const auto heard_of = [&](StateWrite write) {
    const auto written = write_one(port(), std::move(write));
    return written && calls.reach(++heard);
  };
  EXPECT_TRUE(heard_of({Kind::kCreate, "/s", "x"}));
  EXPECT_TRUE(heard_of({Kind::kCreate, "/s/a", "x"}));
  EXPECT_TRUE(heard_of({Kind::kPut, "/s/a", "y"}));
  EXPECT_TRUE(heard_of({Kind::kRemove, "/s/a"}));
  EXPECT_TRUE(heard_of({Kind::kEphemeral, "/s/e", "y"}));
  EXPECT_TRUE(heard_of({Kind::kPut, "/s", "z"}));
}

TEST_P(StateStoreContract, AWatchHearsNothingAfterItsEnd) {
  std::atomic<bool> ended{false};
  std::atomic<bool> late{false};
  for (int i = 0; i < 200; ++i) {
    ended = false;
    auto watch = port().watch("/s", [&] {
      if (ended) late = true;
    });
    ASSERT_TRUE(write_one(port(), {Kind::kEphemeral, "/s/a", std::to_string(i)}));
    watch.reset();
    ended = true;
  }
  EXPECT_FALSE(late);
}

TEST_P(StateStoreContract, CompareAndSetLosesNoUpdate) {
  ASSERT_TRUE(create(port(), "/counter", "0"));
  constexpr int kThreads = 4;
  constexpr int kTimes = 50;
  const auto increment = [&] {
    for (int done = 0; done < kTimes;) {
      const auto entry = *port().get("/counter");
      const auto written = write_one(port(), {Kind::kPut, "/counter", std::to_string(std::stoi(entry->data) + 1), entry->version});
      if (written) ++done;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(increment);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(data_of(port(), "/counter"), std::to_string(kThreads * kTimes));
  EXPECT_EQ((*port().get("/counter"))->version, kThreads * kTimes);
}

TEST_P(StateStoreContract, IsHealthyWhenItWorks) {
  EXPECT_TRUE(port().health().ok);
  EXPECT_EQ(port().health().reason, "");
}

}  // namespace
}  // namespace fermata::testing
