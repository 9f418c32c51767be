#pragma once

#include "files/posix.hpp"
#include "store/object_store.hpp"
#include "work/cancellation.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace fermata::crr {

/// The source's directory, guarded against a disk that is not mounted: an empty mount point would look like a source
/// from which everything was deleted. Threads: [any].
class SourceRoot {
 public:
  /// @param has_history  true if objects are known from this source. Then a root without any directory is not believed.
  SourceRoot(std::string path, std::function<bool()> has_history);

  /// Opens it. kUnavailable if it is missing, another directory than before, or empty although objects are known from it.
  Result<Fd> open() const;
  const std::string& path() const { return path_; }

 private:
  struct Identity {
    std::uint64_t device;
    std::uint64_t inode;
    bool operator==(const Identity&) const = default;
  };

  const std::string path_;
  const std::function<bool()> has_history_;
  mutable std::mutex mutex_;                  // guards identity_
  mutable std::optional<Identity> identity_;  // of the directory that was believed first
};

/// Objects are regular files: bucket = directory below the root, key = path below it.
class FilesystemSource final : public ObjectSource {
 public:
  /// @param cancellation  ends reads; borrowed; outlives this and its readers.
  FilesystemSource(std::shared_ptr<const SourceRoot> root, const Cancellation& cancellation)
      : root_(std::move(root)), cancellation_(cancellation) {}
  /// @param version_id  nothing: there are no versions.
  Result<std::unique_ptr<ObjectReader>> open(const ObjectId& id, const std::string& version_id) override;

 private:
  const std::shared_ptr<const SourceRoot> root_;
  const Cancellation& cancellation_;
};

}  // namespace fermata::crr
