#include "rest/v1_json.hpp"

#include "base/time_format.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>

namespace fermata::rest {
namespace {

void write_time(JsonWriter& json, std::string_view name, const std::optional<WallTime>& time) {
  json.text_or_null(name, time ? format_iso(*time) : std::string());
}

/// A plugin's own words: an object as it is, nothing as null, and what is no JSON object as text, lest it break ours.
void write_details(JsonWriter& json, const std::string& details) {
  json.key("details");
  if (details.empty()) {
    json.null();
    return;
  }
  boost::system::error_code error;
  const auto value = boost::json::parse(details, error);
  if (!error && value.is_object())
    json.raw(details);
  else
    json.value(details);
}

void write_node_observation(JsonWriter& json, const control::NodeObservation& node) {
  const auto& seen = node.observation;
  json.begin_object().member("node", node.node).member("state", control::to_string(seen.state));
  json.member("inFlight", seen.in_flight).member("retrying", seen.retrying).member("lag", seen.lag);
  json.member("processed", seen.processed).member("failed", seen.failed);
  json.member("message", seen.message).member("lastError", seen.last_error);
  write_time(json, "lastErrorAt", seen.last_error_at);
  write_details(json, seen.details_json);
  json.end_object();
}

}  // namespace

void write_desired(JsonWriter& json, const control::DesiredState& desired) {
  json.begin_object().member("paused", desired.paused);
  write_time(json, "scheduledResume", desired.scheduled_resume);
  json.member("reason", desired.reason).member("by", desired.by);
  write_time(json, "at", desired.at);
  json.end_object();
}

void write_location(JsonWriter& json, const control::LocationView& view) {
  json.begin_object().member("name", view.name).member("state", control::to_string(view.state)).key("desired");
  write_desired(json, view.desired);
  json.member("desiredError", view.desired_error).member("failed", view.failed).key("nodes").begin_array();
  for (const auto& node : view.nodes) write_node_observation(json, node);
  json.end_array().end_object();
}

void write_changed(JsonWriter& json, const control::Changed& changed) {
  json.begin_object().member("name", changed.location).member("changed", changed.changed).key("desired");
  write_desired(json, changed.desired);
  json.end_object();
}

void write_plugin(JsonWriter& json, const control::PluginView& plugin) {
  json.begin_object().member("service", plugin.service).member("name", plugin.name).member("version", plugin.version);
  json.member("description", plugin.description).member("path", plugin.path);
  json.member("abi", std::to_string(plugin.abi_major) + "." + std::to_string(plugin.abi_minor));
  json.member("state", plugin.state).member("error", plugin.error).key("commands").begin_array();
  for (const auto& command : plugin.commands) {
    json.begin_object().member("name", command.name).member("method", command.method).member("path", command.path);
    json.member("summary", command.summary).end_object();
  }
  json.end_array().end_object();
}

void write_node(JsonWriter& json, const control::NodeView& node) {
  json.begin_object().member("id", node.id).member("address", node.address).member("version", node.version);
  write_time(json, "startedAt", node.started_at);
  json.member("self", node.self).end_object();
}

void write_audit(JsonWriter& json, std::string_view id, const control::AuditEntry& entry) {
  json.begin_object().member("id", id);
  write_time(json, "at", entry.at);
  json.member("node", entry.node).member("by", entry.by).member("service", entry.service).member("location", entry.location);
  json.member("action", entry.action).member("reason", entry.reason);
  write_time(json, "scheduledResume", entry.scheduled_resume);
  json.end_object();
}

void write_failed(JsonWriter& json, const pipeline::FailedRecord& record) {
  constexpr std::size_t kShownBytes = 4'096;
  json.begin_object().member("id", record.id).member("topic", record.topic).member("processor", record.processor);
  json.member("key", record.key).member("value", std::string_view(record.value).substr(0, kShownBytes));
  json.member("valueBytes", record.value.size()).member("reason", record.reason).member("attempts", record.attempts);
  write_time(json, "failedAt", record.failed_at);
  json.end_object();
}

}  // namespace fermata::rest
