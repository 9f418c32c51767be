#pragma once

#include "model/record.hpp"
#include "replication/object_states.hpp"

#include <fermata/sdk/host.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// The objects whose replication was given up, as Backbeat's API shows and retries them (its routes crr/failed), over the
/// host's failed store:
///   GET  failed?sitename=&marker=             newest first, 100 at a time; without sitename of all locations
///   GET  failed/<bucket>/<key>?versionId=     of one object
///   POST failed                               retries those of a list
///   POST retry/<bucket>/<key>                 retries one object at all locations
/// Threads: [any].
class FailedRoutes {
 public:
  /// Failed records of one location that are looked at.
  static constexpr std::size_t kMaxRecords = 10'000;

  /// @param host  borrowed; outlives this, and this outlives the host's calls.
  FailedRoutes(sdk::Host& host, std::vector<std::string> locations);

  /// [control] Only within init.
  Status add();

  struct Failed {
    std::string location;
    std::string id;  ///< in the failed store
    ReplicationRecord record;
    std::string reason;
    std::uint32_t attempts = 0;
    std::int64_t failed_at_ms = 0;
  };
  /// What to look for; empty members are anything.
  struct Wanted {
    std::string location = {};
    std::optional<ObjectId> id = {};
    std::string version_id = {};
    bool matches(const Failed& failed) const;
  };

 private:
  struct Answer {
    int status = 200;
    std::string body = {};
  };
  Answer list(std::string_view raw_query) const;
  Answer show(std::string_view path, std::string_view raw_query) const;
  Answer retry_list(std::string_view body) const;
  Answer retry_object(std::string_view path) const;

  /// Newest first.
  Result<std::vector<Failed>> find(const Wanted& wanted) const;
  Status retry(const Failed& failed) const;
  bool is_location(std::string_view name) const;

  sdk::Host& host_;
  const std::vector<std::string> locations_;
  const ObjectStates states_;
};

}  // namespace fermata::crr
