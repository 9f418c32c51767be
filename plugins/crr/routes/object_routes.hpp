#pragma once

#include "journal/journal_index.hpp"
#include "replication/object_states.hpp"

#include <fermata/sdk/host.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// How objects stand, over REST:
///   GET objects/<bucket>/<key>                            one object at all locations; 404 if it is not known
///   GET objects?prefix=&status=&limit=&after=             many, in byte order; "next" tells where to go on
/// Threads: [any].
class ObjectRoutes {
 public:
  /// @param host  borrowed; outlives this, and this outlives the host's calls.
  ObjectRoutes(sdk::Host& host, std::vector<std::string> locations);

  /// [control] Only within init.
  Status add();

 private:
  struct Answer {
    int status = 200;
    std::string body = {};
  };
  struct Query {
    std::string prefix = {};
    std::string after = {};
    std::uint32_t limit = 100;
    std::optional<ObjectState::Status> status = {};
  };

  static Result<Query> read_query(std::string_view query);
  Answer show(const std::string& path) const;
  Answer list(const std::string& raw_query) const;

  sdk::Host& host_;
  const std::vector<std::string> locations_;
  const JournalIndex index_;
  const ObjectStates states_;
};

}  // namespace fermata::crr
