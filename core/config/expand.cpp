#include "config/expand.hpp"

#include "base/utf8.hpp"
#include "config/read_file.hpp"

#include <cstdlib>
#include <filesystem>

namespace fermata::config {
namespace {

constexpr std::size_t kMaxSecretBytes = 64u << 10;

Status refused(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

bool is_variable_name(std::string_view name) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') && name.find_first_not_of(kLetters) == std::string_view::npos;
}

Result<std::string> read_variable(const std::string& name) {
  if (!is_variable_name(name))
    return refused("'${env:" + name + "}' does not name an environment variable; allowed: letters, digits and '_'");
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return refused("environment variable '" + name + "' is not set; set it for the daemon, or write the value here");
  if (!is_utf8(value)) return refused("environment variable '" + name + "' is not UTF-8");
  return std::string(value);
}

Result<std::string> read_secret(const std::string& path, const std::string& folder) {
  const auto file = (std::filesystem::path(folder) / path).string();
  auto text = read_file(file, kMaxSecretBytes);
  if (!text) return refused("file '" + file + "' of '${file:" + path + "}' cannot be read: " + text.status().message());
  if (!is_utf8(*text)) return refused("file '" + file + "' is not UTF-8");
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  return text;
}

Result<std::string> read_reference(std::string_view reference, const std::string& folder) {
  constexpr std::string_view kEnv = "env:";
  constexpr std::string_view kFile = "file:";
  if (reference.starts_with(kEnv)) return read_variable(std::string(reference.substr(kEnv.size())));
  if (reference.starts_with(kFile) && reference.size() > kFile.size())
    return read_secret(std::string(reference.substr(kFile.size())), folder);
  return refused("'${" + std::string(reference) +
                 "}' is not known; allowed: ${env:NAME}, ${file:PATH}; write '$${' for the two characters '${'");
}

}  // namespace

Result<std::string> expand(std::string_view text, const std::string& folder) {
  std::string expanded;
  while (!text.empty()) {
    const auto dollar = text.find('$');
    expanded.append(text.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("${")) {
      const auto end = text.find('}');
      if (end == std::string_view::npos) return refused("'${' is not closed by '}'; write '$${' for the two characters themselves");
      auto value = read_reference(text.substr(2, end - 2), folder);
      if (!value) return value;
      expanded += *value;
      text.remove_prefix(end + 1);
    } else {
      expanded += '$';
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
  return expanded;
}

}  // namespace fermata::config
