#include "position.hpp"

#include <boost/json.hpp>

namespace fermata::ingestion {
namespace json = boost::json;

std::string to_checkpoint(const Position& position) {
  if (position.next == 0) return {};
  return json::serialize(json::object{{"next", position.next},
                                      {"entries", position.entries},
                                      {"lost", position.lost},
                                      {"tooLarge", position.too_large},
                                      {"lastLossMs", position.last_loss_ms}});
}

Result<Position> parse_checkpoint(std::string_view text) {
  if (text.empty()) return Position();
  boost::system::error_code error;
  const auto document = json::parse(json::string_view(text.data(), text.size()), error);
  const Status refusal(Code::kDataLoss, "the checkpoint is not one of this plugin's; remove it to begin anew");
  if (error || !document.is_object()) return refusal;
  Position out;
  const std::pair<const char*, std::int64_t*> members[] = {
      {"next", &out.next}, {"entries", &out.entries}, {"lost", &out.lost}, {"tooLarge", &out.too_large}, {"lastLossMs", &out.last_loss_ms}};
  for (const auto& [name, number] : members) {
    const auto* value = document.get_object().if_contains(name);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return refusal;
    *number = value->get_int64();
  }
  if (out.next == 0) return refusal;
  return out;
}

}  // namespace fermata::ingestion
