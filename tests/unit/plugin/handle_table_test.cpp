#include "plugin/handle_table.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace fermata::plugin {
namespace {

struct Opaque;
using Table = HandleTable<Opaque, std::shared_ptr<std::string>>;

std::shared_ptr<std::string> text(const char* from) { return std::make_shared<std::string>(from); }

TEST(HandleTable, GivesAValueBackOnce) {
  Table table;
  auto* handle = table.add(text("a"));
  EXPECT_EQ(**table.get(handle), "a");
  EXPECT_EQ(**table.take(handle), "a");
  EXPECT_FALSE(table.take(handle));
  EXPECT_FALSE(table.get(handle));
}

TEST(HandleTable, SpentHandleDoesNotReachTheValueThatTookItsSlot) {
  Table table;
  auto* spent = table.add(text("a"));
  table.take(spent);
  auto* next = table.add(text("b"));
  EXPECT_FALSE(table.take(spent));
  EXPECT_EQ(**table.take(next), "b");
}

TEST(HandleTable, RecognisesHandlesThatItNeverGave) {
  Table table;
  EXPECT_FALSE(table.take(nullptr));
  EXPECT_FALSE(table.take(reinterpret_cast<Opaque*>(0xdeadbeefcafe)));
}

TEST(HandleTable, HandlesAreNeverNullAndDiffer) {
  Table table;
  std::set<Opaque*> handles;
  for (int i = 0; i < 1'000; ++i) handles.insert(table.add(text("x")));
  EXPECT_EQ(handles.size(), 1'000u);
  EXPECT_FALSE(handles.contains(nullptr));
}

TEST(HandleTable, TakeAllEmptiesItAndSpendsTheHandles) {
  Table table;
  auto* first = table.add(text("a"));
  table.add(text("b"));
  EXPECT_EQ(table.take_all().size(), 2u);
  EXPECT_FALSE(table.take(first));
  EXPECT_TRUE(table.take_all().empty());
}

}  // namespace
}  // namespace fermata::plugin
