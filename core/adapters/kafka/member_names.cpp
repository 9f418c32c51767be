#include "adapters/kafka/member_names.hpp"

#include <fmt/format.h>

#include <cctype>

namespace fermata::kafka {
namespace {

// Kafka takes the characters of topic names.
std::string legal(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '.' || c == '_' || c == '-')
      out += c;
    else
      out += fmt::format("_{:02x}", byte);
  }
  return out;
}

}  // namespace

MemberNames::MemberNames(const std::string& node_id) : node_(legal(node_id)) {}

MemberNames::Name MemberNames::claim(const std::string& topic, const std::string& group) {
  const std::lock_guard lock(taken_->mutex);
  std::string name = node_ + "-" + topic;
  for (int number = 2; !taken_->names.emplace(group, name).second; ++number) name = fmt::format("{}-{}-{}", node_, topic, number);
  return {new std::string(name), [taken = taken_, group](const std::string* held) {
            const std::unique_ptr<const std::string> owned(held);
            const std::lock_guard release(taken->mutex);
            taken->names.erase({group, *owned});
          }};
}

}  // namespace fermata::kafka
