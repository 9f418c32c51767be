#pragma once
// Private to the v1 API: its routes by what they are about.

#include "rest/api.hpp"
#include "rest/errors.hpp"

#include <memory>

namespace fermata::rest {

using Request = std::shared_ptr<const HttpRequest>;

/// services and their locations, plugins, nodes, audit, readiness: what only looks.
void add_v1_reads(Router& router, const ApiDependencies& dependencies);
/// pause, resume, schedule.
void add_v1_changes(Router& router, const ApiDependencies& dependencies);
/// The failed store.
void add_v1_failed(Router& router, const ApiDependencies& dependencies);

/// The text of core/rest/openapi.json.
std::string_view openapi_json();

}  // namespace fermata::rest
