#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fermata {

/// As JavaScript's encodeURIComponent: everything but A-Z a-z 0-9 - _ . ! ~ * ' ( ) becomes %XX.
std::string percent_encode(std::string_view text);
/// Decodes every %XX once; nullopt if one is malformed. "+" stays "+".
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace fermata
