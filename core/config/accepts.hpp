#pragma once
// What strings of the configuration must look like.

#include <string>

namespace fermata::config {

bool is_not_empty(const std::string& text);
/// An IPv4 or IPv6 address.
bool is_address(const std::string& text);
/// An address, or "address/prefix".
bool is_address_range(const std::string& text);
/// "host:port" or "[IPv6]:port"; the port from 1 to 65535.
bool is_endpoint(const std::string& text);
/// is_endpoint, or "unix:" and an absolute path.
bool is_endpoint_or_socket(const std::string& text);
/// Empty, or is_state_path.
bool is_chroot(const std::string& text);
/// Letters, digits, '.', '_', '-'; at most 64; may be empty.
bool is_topic_prefix(const std::string& text);
/// At most 64 bytes without control characters; may be empty.
bool is_key_prefix(const std::string& text);
/// 1 to 128 letters, digits, '.', '_', '-'.
bool is_node_id(const std::string& text);
/// Starts with a lower-case letter; lower-case letters, digits, '_', '-'; at most 64; none of the routes' own words.
bool is_service_name(const std::string& text);
/// 1 to 255 bytes without '/' and control characters; not "all", "." or "..".
bool is_location_name(const std::string& text);
/// Absolute, without an empty, "." or ".." part and without a "/" at the end.
bool is_state_path(const std::string& text);

}  // namespace fermata::config
