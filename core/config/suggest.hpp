#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fermata::config {

/// The candidate that `word` was most probably meant to be, or empty. Case, '-' and '_' do not count.
std::string_view suggest(std::string_view word, const std::vector<std::string_view>& candidates);

/// "a, b, c"
std::string join(const std::vector<std::string_view>& words);

}  // namespace fermata::config
