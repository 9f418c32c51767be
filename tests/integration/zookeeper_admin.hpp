#pragma once
// What an administrator of the ensemble can see and do.

#include <chrono>
#include <cstdint>
#include <string>

namespace fermata::testing {

/// The answer of the server at "host:port" to a four-letter command, e.g. "dump"; empty if there is none in time. Throws
/// std::runtime_error if there is no server.
std::string four_letters(const std::string& server, const std::string& word, std::chrono::seconds at_most = std::chrono::seconds(10));

/// The session that made the ephemeral entry at `path`, or 0.
std::int64_t owner_of(const std::string& server, const std::string& path);

/// How many requests the server has received on the connection of a session.
long requests_of(const std::string& server, std::int64_t session);

/// Ends a session as if it had expired: closes it over another connection. Throws std::runtime_error.
void expire(const std::string& server, std::int64_t session);

}  // namespace fermata::testing
