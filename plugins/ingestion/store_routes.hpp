#pragma once

#include "metadata_store.hpp"
#include "settings.hpp"

#include <fermata/sdk/host.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::ingestion {

/// The mirror over REST; docs/reference/ingestion.md describes it:
///   GET list/<location>[/<bucket>[/<prefix>]]?limit=&after=   the newest versions of objects, in byte order
///   GET versions/<bucket>/<key>?limit=                        all versions of one, the newest first
///   GET objects/<bucket>/<key>?versionId=                     the metadata of one version
/// As the command line has no place for a query, what follows the last "?" of a path counts as well, if it is one.
/// Threads: [any].
class StoreRoutes {
 public:
  /// Both borrowed; they outlive this, and this outlives the host's calls.
  StoreRoutes(sdk::Host& host, const Settings& settings) : host_(host), settings_(settings) {}

  /// [control] Only within init.
  Status add();
  /// The store is there to be read from now on. [control]
  Status open();
  /// [control]
  void close();

 private:
  using Query = std::map<std::string, std::string, std::less<>>;
  struct Request {
    std::string path;
    Query query;
  };
  struct Answer {
    int status = 200;
    std::string body = {};
  };
  using Handler = Answer (StoreRoutes::*)(const Request&);

  Status add_route(const char* pattern, Handler handler);
  Answer serve(Handler handler, Request request);
  Answer list(const Request& request);
  Answer versions(const Request& request);
  Answer show(const Request& request);

  sdk::Host& host_;
  const Settings& settings_;
  std::mutex mutex_;  // guards reader_
  std::optional<MetadataReader> reader_;
};

}  // namespace fermata::ingestion
