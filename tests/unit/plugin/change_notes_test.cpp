#include "plugin/change_notes.hpp"

#include "support/manual_executor.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fermata::plugin {
namespace {

TEST(ChangeNotes, TellsEachLocationOncePerRoundAndNeverWithinTheCall) {
  testing::ManualExecutor executor;
  ChangeNotes notes(executor);
  std::vector<std::string> told;
  notes.listen([&](std::string_view location) { told.emplace_back(location); });
  notes.note("b");
  notes.note("a");
  notes.note("b");
  EXPECT_TRUE(told.empty());
  executor.run_ready();
  EXPECT_EQ(told, std::vector<std::string>({"a", "b"}));
  notes.note("b");
  executor.run_ready();
  EXPECT_EQ(told.size(), 3u);
}

TEST(ChangeNotes, WithoutAListenerNothingIsKept) {
  testing::ManualExecutor executor;
  ChangeNotes notes(executor);
  notes.note("a");
  EXPECT_EQ(executor.run_ready(), 0u);
}

TEST(ChangeNotes, ListenerThatWasUnsetIsNotToldWhatWasNotedBefore) {
  testing::ManualExecutor executor;
  ChangeNotes notes(executor);
  bool told = false;
  notes.listen([&](std::string_view) { told = true; });
  notes.note("a");
  notes.listen({});
  executor.run_ready();
  EXPECT_FALSE(told);
}

TEST(ChangeNotes, MayDieBeforeItsTaskRuns) {
  testing::ManualExecutor executor;
  bool told = false;
  {
    ChangeNotes notes(executor);
    notes.listen([&](std::string_view) { told = true; });
    notes.note("a");
  }
  executor.run_ready();
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace fermata::plugin
