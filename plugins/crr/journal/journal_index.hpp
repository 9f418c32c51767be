#pragma once

#include "model/object.hpp"

#include <fermata/sdk/host.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::crr {

/// What the journal last said about an object that exists at the source.
struct JournaledObject {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::string fingerprint = {};
  std::uint64_t version = 0;
  std::string locations = {};  ///< digest of the locations that were configured then; see JournalWriter
};

/// All objects that were journaled and not deleted since, in the host's key-value store under "journal/<bucket>/<key>".
/// Threads: [any]. Methods may block for I/O, at most 5 s.
class JournalIndex {
 public:
  using Entry = std::pair<std::string, JournaledObject>;  ///< by "<bucket>/<key>"

  /// @param host  borrowed; outlives this.
  explicit JournalIndex(const sdk::Host& host) : host_(host) {}

  Status put(const std::string& path, const JournaledObject& object) const;
  Status remove(const std::string& path) const;
  Result<std::optional<JournaledObject>> get(const std::string& path) const;
  /// Those that begin with `prefix`, after `after` (empty: from the first), in byte order.
  Result<std::vector<Entry>> scan(const std::string& prefix, const std::string& after, std::uint32_t limit) const;

 private:
  const sdk::Host& host_;
};

}  // namespace fermata::crr
