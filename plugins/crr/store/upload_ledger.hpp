#pragma once

#include "model/object.hpp"

#include <fermata/sdk/host.hpp>

#include <string>

namespace fermata::crr {

/// Which unfinished upload of an object at one location is ours, so that what a dead process left is aborted and what others
/// upload there is not: in the host's key-value store under "upload/<bucket>/<key>", NUL, location.
/// Threads: [any]; calls for one object come one at a time. Methods may block for I/O, at most 5 s.
class UploadLedger {
 public:
  /// @param host  borrowed; outlives this.
  UploadLedger(const sdk::Host& host, std::string location) : host_(host), location_(std::move(location)) {}

  /// The upload that was begun and not ended; empty: there is none.
  Result<std::string> open_upload(const ObjectId& id) const;
  Status begun(const ObjectId& id, const std::string& upload_id) const;
  Status ended(const ObjectId& id) const;

 private:
  std::string key_of(const ObjectId& id) const;

  const sdk::Host& host_;
  const std::string location_;
};

}  // namespace fermata::crr
