#pragma once

#include "base/status.hpp"
#include "ports/health.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fermata {

/// A node's version, counted up by each write. A new node has version 0.
using Version = std::int64_t;

struct StateEntry {
  std::string path;
  std::string data;
  Version version = 0;
};

/// One write of a batch.
struct StateWrite {
  enum class Kind {
    kCreate,     ///< kAlreadyExists if the path is there
    kPut,        ///< replaces if the version is `expected`: else kAborted; kNotFound if there is no such path
    kRemove,     ///< as kPut; a path that has children is kFailedPrecondition
    kEphemeral,  ///< creates or replaces, whatever the version; vanishes with this process's session
  };
  Kind kind = Kind::kPut;
  std::string path;
  std::string data = {};
  Version expected = kAnyVersion;

  static constexpr Version kAnyVersion = -1;
};

/// Durable, versioned small state in a tree of paths like "/backbeat/replication/state/paris": ZooKeeper in a cluster,
/// SQLite embedded. An entry is at most 512 KiB. Paths are absolute, have no empty segment and no trailing slash; parents
/// are made as needed and are entries with empty data.
///
/// Threads: [any]; calls block for I/O, at most the store's operation timeout (default 5 s), so they belong on the
///          control executor and never on a REST or worker thread.
/// Errors:  kUnavailable when the store cannot be reached or did not answer in time: the write may or may not have
///          happened; read again before deciding.
class StateStore {
 public:
  virtual ~StateStore() = default;

  /// @return nullopt if there is no such path (not an error).
  virtual Result<std::optional<StateEntry>> get(std::string_view path) = 0;

  /// The direct children of `path` with their data, in byte order of their paths; empty if there is no such path.
  virtual Result<std::vector<StateEntry>> children(std::string_view path) = 0;

  /// Applies all writes or none. @return the new versions, in order (0 for removals); the error of the first write that
  /// does not apply, its message naming the path. At most 1,000 writes (kInvalidArgument).
  virtual Result<std::vector<Version>> write(std::span<const StateWrite> writes) = 0;

  /// Called after something at or directly below `path` changed, was made or was removed, by anyone; also after a time
  /// in which changes could have been missed. Says "look again", not what: several changes may arrive as one call.
  using WatchCallback = std::function<void()>;

  /// Ends the watch when destroyed; after that the callback neither runs nor starts. Not to be destroyed inside it.
  class Watch {
   public:
    virtual ~Watch() = default;
  };

  /// Watches until the returned object dies. Callbacks run on a thread of the store, one at a time, and must not block.
  virtual std::unique_ptr<Watch> watch(std::string_view path, WatchCallback callback) = 0;

  virtual Health health() const = 0;
};

/// One write, applied alone. @return the new version.
inline Result<Version> write_one(StateStore& store, StateWrite write) {
  auto versions = store.write(std::span<const StateWrite>(&write, 1));
  if (!versions) return versions.status();
  return versions->front();
}

}  // namespace fermata
