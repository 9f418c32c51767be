#include "app/service_names.hpp"

#include <boost/json.hpp>

namespace fermata::app {
namespace {

std::optional<ServiceNames> parse(const std::string& text) {
  boost::system::error_code error;
  const auto value = boost::json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto& object = value.as_object();
  const auto* state_name = object.if_contains("stateName");
  const auto* topic = object.if_contains("topic");
  const auto* paused = object.if_contains("pausedAtFirst");
  if (state_name == nullptr || !state_name->is_string() || topic == nullptr || !topic->is_string()) return std::nullopt;
  return ServiceNames{std::string(state_name->as_string()), std::string(topic->as_string()),
                      paused != nullptr && paused->is_bool() && paused->as_bool()};
}

}  // namespace

Status remember(StateStore& store, const std::string& path, const ServiceNames& names) {
  const auto entry = store.get(path);
  if (!entry) return entry.status();
  if (*entry && parse((*entry)->data) == names) return Status::ok();
  const auto data = boost::json::serialize(
      boost::json::object{{"stateName", names.state_name}, {"topic", names.topic}, {"pausedAtFirst", names.paused_at_first}});
  const auto kind = *entry ? StateWrite::Kind::kPut : StateWrite::Kind::kCreate;
  Status written = write_one(store, {kind, path, data}).status();
  // Another node was faster; it has the same plugin.
  if (written.code() == Code::kAlreadyExists || written.code() == Code::kAborted) return Status::ok();
  return written;
}

std::optional<ServiceNames> recall(StateStore& store, const std::string& path) {
  const auto entry = store.get(path);
  if (!entry || !*entry) return std::nullopt;
  return parse((*entry)->data);
}

}  // namespace fermata::app
