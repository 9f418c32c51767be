#pragma once

#include "adapters/redis/link.hpp"
#include "telemetry/log.hpp"

namespace fermata::redis {

/// Asks Redis how it keeps data, and warns in the log if it would lose the bulk store's: neither AOF nor RDB, or keys
/// evicted when memory is full. Says nothing where asking is not permitted. Both arguments outlive the link's connection.
void check_durability(Link& link, telemetry::Log& log);

}  // namespace fermata::redis
