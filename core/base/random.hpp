#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace fermata {

/// `bytes` random bytes as lower-case hex; unique, not secret.
std::string random_hex(std::size_t bytes);

/// Back-off before attempt number `attempt` + 1 (attempt counts from 1): first * 2^(attempt-1), at most `max`, of which
/// the second half is random, so that many who failed together do not come back together.
std::chrono::milliseconds backoff(std::uint32_t attempt, std::chrono::milliseconds first, std::chrono::milliseconds max);

}  // namespace fermata
