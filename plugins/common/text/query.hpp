#pragma once

#include <fermata/sdk/status.hpp>

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace fermata::text {

/// The parameters of a request's query, decoded. @param known  their names; another one is kInvalidArgument.
sdk::Result<std::map<std::string, std::string, std::less<>>> parse_query(std::string_view query,
                                                                         std::initializer_list<std::string_view> known);

}  // namespace fermata::text
