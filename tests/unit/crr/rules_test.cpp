#include "model/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kLocations{"paris", "london", "tokyo"};

TEST(Rules, SendEverythingEverywhereWhenThereAreNone) {
  const Rules rules({}, kLocations);
  EXPECT_THAT(rules.destinations({"b", "k"}), ElementsAre("paris", "london", "tokyo"));
  EXPECT_TRUE(rules.matches({"b", "k"}, "london", {}));
  EXPECT_TRUE(rules.delete_markers({"b", "k"}, "london"));
  EXPECT_TRUE(rules.version_deletes({"b", "k"}, "london"));
  EXPECT_THAT(rules.buckets(), IsEmpty());
}

TEST(Rules, AddUpWhenSeveralMatch) {
  const Rules rules({Rule{"photos", "", {}, {"tokyo"}}, Rule{"photos", "public/", {}, {"paris"}}, Rule{"papers", "", {}, {}}}, kLocations);
  EXPECT_THAT(rules.destinations({"photos", "public/k"}), ElementsAre("paris", "tokyo"));
  EXPECT_THAT(rules.destinations({"photos", "private/k"}), ElementsAre("tokyo"));
  EXPECT_THAT(rules.destinations({"papers", "k"}), ElementsAre("paris", "london", "tokyo"));
  EXPECT_THAT(rules.destinations({"others", "public/k"}), IsEmpty());
  EXPECT_THAT(rules.buckets(), ElementsAre("photos", "papers"));
}

TEST(Rules, LookAtTagsLast) {
  const Rules rules({Rule{"b", "", {{"class", "gold"}, {"year", "2026"}}, {"paris"}}, Rule{"b", "", {}, {"london"}}}, kLocations);
  EXPECT_THAT(rules.destinations({"b", "k"}), ElementsAre("paris", "london"));
  EXPECT_FALSE(rules.matches({"b", "k"}, "paris", {{"class", "gold"}}));
  EXPECT_FALSE(rules.matches({"b", "k"}, "paris", {{"class", "gold"}, {"year", "2025"}}));
  EXPECT_TRUE(rules.matches({"b", "k"}, "paris", {{"class", "gold"}, {"year", "2026"}, {"more", "x"}}));
  EXPECT_TRUE(rules.matches({"b", "k"}, "london", {}));
}

TEST(Rules, LetTheFirstForALocationDecideAboutDeletions) {
  const Rules rules({Rule{"b", "", {}, {"paris"}, false, true}, Rule{"b", "", {}, {}, true, false}}, kLocations);
  EXPECT_FALSE(rules.delete_markers({"b", "k"}, "paris"));
  EXPECT_TRUE(rules.version_deletes({"b", "k"}, "paris"));
  EXPECT_TRUE(rules.delete_markers({"b", "k"}, "london"));
  EXPECT_FALSE(rules.version_deletes({"b", "k"}, "london"));
  EXPECT_FALSE(rules.delete_markers({"other", "k"}, "london"));
}

TEST(Rules, NameNoBucketsWhenOneIsForAll) { EXPECT_THAT(Rules({Rule{"b"}, Rule{}}, kLocations).buckets(), IsEmpty()); }

}  // namespace
}  // namespace fermata::crr
