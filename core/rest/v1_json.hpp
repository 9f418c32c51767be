#pragma once

#include "control/control_plane.hpp"
#include "control/types.hpp"
#include "pipeline/service_pipelines.hpp"
#include "rest/json_writer.hpp"

#include <string_view>

namespace fermata::rest {

// The objects of the v1 API, each written as one JSON value. Times are RFC 3339 or null, texts are never null.

void write_location(JsonWriter& json, const control::LocationView& view);
void write_desired(JsonWriter& json, const control::DesiredState& desired);
void write_changed(JsonWriter& json, const control::Changed& changed);
void write_plugin(JsonWriter& json, const control::PluginView& plugin);
void write_node(JsonWriter& json, const control::NodeView& node);
void write_audit(JsonWriter& json, std::string_view id, const control::AuditEntry& entry);
/// The value is cut at 4 KiB; "valueBytes" says how much there is.
void write_failed(JsonWriter& json, const pipeline::FailedRecord& record);

}  // namespace fermata::rest
