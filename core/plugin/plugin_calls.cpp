#include "plugin/plugin_calls.hpp"

#include "plugin/fence.hpp"

#include <boost/json.hpp>

#include <utility>

namespace fermata::plugin {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxStatusBytes = 64u << 10;

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string().data(), value->as_string().size()) : std::string();
}

PluginStatus misunderstood(std::string_view why) {
  return {PluginStatus::State::kDegraded, "the plugin's status cannot be understood: " + std::string(why)};
}

}  // namespace

PluginStatus parse_plugin_status(std::string_view text) {
  if (text.empty() || text == "{}") return {};
  if (text.size() > kMaxStatusBytes) return misunderstood("it is longer than 64 KiB");
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !document.is_object()) return misunderstood("it is not a JSON object");

  const json::object& object = document.as_object();
  PluginStatus status;
  status.message = text_at(object, "message");
  const std::string state = text_at(object, "state");
  if (state == "degraded") status.state = PluginStatus::State::kDegraded;
  if (state == "failed") status.state = PluginStatus::State::kFailed;
  if (const json::value* details = object.if_contains("details"); details != nullptr && details->is_object())
    status.details_json = json::serialize(*details);
  return status;
}

template <typename Call>
Status PluginCalls::call(std::string_view what, Call&& function) const {
  const std::string name = label_ + ": " + std::string(what);
  fermata_error error = sdk::make_error();
  fermata_code code = FERMATA_OK;
  auto fence = fenced(name, [&] {
    code = function(&error);
    return Status::ok();
  });
  if (!fence || code == FERMATA_OK) return fence;
  const Status reported = sdk::from_abi(code, error);
  return {reported.code(), name + " failed: " + reported.message()};
}

Status PluginCalls::create(const fermata_host* host, std::string_view service) {
  return call("create", [&](fermata_error* error) { return plugin_.create(host, sdk::to_abi(service), &instance_, error); });
}

void PluginCalls::destroy() {
  void* const instance = std::exchange(instance_, nullptr);
  if (instance == nullptr) return;
  // What destroy throws concerns nobody any more: the instance is gone either way.
  static_cast<void>(fenced(label_, [&] {
    plugin_.destroy(instance);
    return Status::ok();
  }));
}

Status PluginCalls::init(std::string_view config_json) {
  return call("init", [&](fermata_error* error) { return plugin_.init(instance_, sdk::to_abi(config_json), error); });
}
Status PluginCalls::start() {
  return call("start", [&](fermata_error* error) { return plugin_.start(instance_, error); });
}
Status PluginCalls::stop() {
  return call("stop", [&](fermata_error* error) { return plugin_.stop(instance_, error); });
}

Status PluginCalls::pause(std::string_view location) {
  if (plugin_.pause == nullptr) return Status::ok();
  return call("pause", [&](fermata_error* error) { return plugin_.pause(instance_, sdk::to_abi(location), error); });
}
Status PluginCalls::resume(std::string_view location) {
  if (plugin_.resume == nullptr) return Status::ok();
  return call("resume", [&](fermata_error* error) { return plugin_.resume(instance_, sdk::to_abi(location), error); });
}

PluginStatus PluginCalls::status(std::string_view location) {
  if (plugin_.status == nullptr) return {};
  std::string text;
  const auto keep = [](void* ctx, fermata_str data) { static_cast<std::string*>(ctx)->assign(sdk::from_abi(data)); };
  const auto asked =
      call("status", [&](fermata_error* error) { return plugin_.status(instance_, sdk::to_abi(location), keep, &text, error); });
  return asked ? parse_plugin_status(text) : PluginStatus{PluginStatus::State::kDegraded, asked.message()};
}

}  // namespace fermata::plugin
