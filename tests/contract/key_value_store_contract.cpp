#include "contract/contract.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace fermata::testing {
namespace {

std::string value_of(KeyValueStore& store, const std::string& space, const std::string& key) {
  const auto value = store.get(space, key);
  if (!value) return value.status().text();
  return *value ? **value : "(none)";
}

std::vector<std::string> keys(const Result<std::vector<KeyValueStore::Entry>>& entries) {
  std::vector<std::string> found;
  if (!entries) return {entries.status().text()};
  for (const auto& [key, value] : *entries) found.push_back(key);
  return found;
}

TEST_P(KeyValueStoreContract, SeesAPutAtOnceAndAfterARestart) {
  ASSERT_TRUE(port().put("crr", "a", "one"));
  EXPECT_EQ(value_of(port(), "crr", "a"), "one");
  ASSERT_TRUE(port().put("crr", "a", "two"));
  EXPECT_EQ(value_of(port(), "crr", "a"), "two");
  restart();
  EXPECT_EQ(value_of(port(), "crr", "a"), "two");
}

TEST_P(KeyValueStoreContract, RemovesAlsoWhatIsNotThere) {
  ASSERT_TRUE(port().remove("crr", "never"));
  ASSERT_TRUE(port().put("crr", "a", "x"));
  restart();
  ASSERT_TRUE(port().remove("crr", "a"));
  EXPECT_EQ(value_of(port(), "crr", "a"), "(none)");
  EXPECT_TRUE(port().scan("crr", "", "", 10)->empty());
  restart();
  EXPECT_EQ(value_of(port(), "crr", "a"), "(none)");
}

TEST_P(KeyValueStoreContract, KeepsSpacesApart) {
  ASSERT_TRUE(port().put("a", "k", "1"));
  ASSERT_TRUE(port().put("b", "k", "2"));
  ASSERT_TRUE(port().remove("b", "k"));
  EXPECT_EQ(value_of(port(), "a", "k"), "1");
  EXPECT_TRUE(port().scan("b", "", "", 10)->empty());
}

TEST_P(KeyValueStoreContract, TakesAnyBytes) {
  const std::string key("\0\xff/\x80", 4);
  const std::string value("\xff\0x", 3);
  ASSERT_TRUE(port().put("s", key, value));
  ASSERT_TRUE(port().put("s", "empty", ""));
  restart();
  EXPECT_EQ(value_of(port(), "s", key), value);
  EXPECT_EQ(value_of(port(), "s", "empty"), "");
}

TEST_P(KeyValueStoreContract, ScansAPrefixInByteOrderAfterAKey) {
  for (const std::string key : {"a/1", "a/2", "a/10", "a0", "b/1", "a\xff", "a\xff\xff"}) ASSERT_TRUE(port().put("s", key, key));
  EXPECT_EQ(keys(port().scan("s", "a/", "", 10)), (std::vector<std::string>{"a/1", "a/10", "a/2"}));
  EXPECT_EQ(keys(port().scan("s", "a/", "a/1", 10)), (std::vector<std::string>{"a/10", "a/2"}));
  EXPECT_EQ(keys(port().scan("s", "a/", "a/1", 1)), (std::vector<std::string>{"a/10"}));
  EXPECT_EQ(keys(port().scan("s", "a/", "a/2", 10)), std::vector<std::string>());
  EXPECT_EQ(keys(port().scan("s", "a\xff", "", 10)), (std::vector<std::string>{"a\xff", "a\xff\xff"}));
  EXPECT_EQ(keys(port().scan("s", "", "a\xff", 10)), (std::vector<std::string>{"a\xff\xff", "b/1"}));
  EXPECT_EQ(keys(port().scan("s", "", "", 0)), std::vector<std::string>());
}

TEST_P(KeyValueStoreBounds, RefusesWhatIsOutOfBounds) {
  EXPECT_EQ(port().put("s", "", "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(port().put("", "k", "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(port().put("s", std::string(4'097, 'k'), "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(port().put("s", "k", std::string((256u << 10) + 1, 'x')).code(), Code::kInvalidArgument);
  EXPECT_TRUE(port().put("s", std::string(4'096, 'k'), std::string(256u << 10, 'x')));
}

TEST_P(KeyValueStoreContract, BehavesAsAnOrderedMapWhateverIsDurableYet) {
  std::mt19937 random(20'261'122);  // NOLINT: the same run each time
  std::map<std::string, std::string> model;
  for (int step = 0; step < 3'000; ++step) {
    const std::string key = std::string(1, static_cast<char>('a' + random() % 3)) + std::to_string(random() % 40);
    switch (random() % 4) {
      case 0:
      case 1:
        ASSERT_TRUE(port().put("s", key, std::to_string(step)));
        model[key] = std::to_string(step);
        break;
      case 2:
        ASSERT_TRUE(port().remove("s", key));
        model.erase(key);
        break;
      default: {
        const std::string prefix = key.substr(0, random() % 2);
        const std::string after = random() % 2 == 0 ? "" : key;
        const std::size_t limit = 1 + random() % 30;
        std::vector<KeyValueStore::Entry> expected;
        for (const auto& entry : model)
          if (entry.first.starts_with(prefix) && entry.first > after && expected.size() < limit) expected.emplace_back(entry);
        ASSERT_EQ(*port().scan("s", prefix, after, limit), expected) << "step " << step << " prefix " << prefix << " after " << after;
      }
    }
    if (step % 1'000 == 999) restart();
  }
}

}  // namespace
}  // namespace fermata::testing
