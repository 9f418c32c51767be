// The checker runs each check in a child process, which is this program again.
#include "plugin/checker.hpp"

#include <gtest/gtest.h>

#include <string_view>

int main(int argc, char** argv) {
  if (argc == 5 && std::string_view(argv[1]) == "plugin" && std::string_view(argv[2]) == "run-check")
    return fermata::plugin::run_one_check(argv[3], argv[4]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
