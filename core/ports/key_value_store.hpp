#pragma once

#include "base/status.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata {

/// Ordered bulk state, one entry per object rather than per location: object states, failed records, the audit trail.
/// Namespaces are separate. Keys 1 to 4,096 bytes, values up to 256 KiB.
///
/// Threads: [any]. put and remove return at once; get and scan may block for I/O, at most 5 s, and see what was put.
/// Durability: writes become durable in order, before any later Queue commit or produce acknowledgement of this process.
class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;

  using Entry = std::pair<std::string, std::string>;

  /// kResourceExhausted when more writes wait than the buffer holds (default 64 MiB).
  virtual Status put(std::string_view space, std::string_view key, std::string_view value) = 0;
  virtual Status remove(std::string_view space, std::string_view key) = 0;
  virtual Result<std::optional<std::string>> get(std::string_view space, std::string_view key) = 0;
  /// At most `limit` entries whose keys begin with `prefix` and are greater than `after`, in byte order.
  virtual Result<std::vector<Entry>> scan(std::string_view space, std::string_view prefix, std::string_view after, std::size_t limit) = 0;
};

}  // namespace fermata
