#pragma once

#include "settings.hpp"
#include "sqlite.hpp"
#include "transform.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::ingestion {

/// The mirror's metadata in one SQLite file; docs/reference/ingestion-store.md has its tables. It holds one row per metadata
/// key; the newest version of an object is found, not kept, so that no order of changes of different versions matters. Each row
/// knows where in the log it came from, and removals leave a row for a time: what is older than a row changes nothing.
///
/// Lifecycle: open -> (begin -> apply* -> commit | rollback)* -> destroy. A file belongs to one daemon at a time.
/// Threads:   one at a time.
/// Errors:    kUnavailable: SQLite's. kFailedPrecondition: another daemon has the file, or it is of a later version.
class MetadataStore {
 public:
  enum class Applied { kWritten, kSame, kStale };

  static Result<MetadataStore> open(const StoreSettings& settings);
  MetadataStore(MetadataStore&&) noexcept;
  MetadataStore& operator=(MetadataStore&&) = delete;
  ~MetadataStore();

  Status begin() { return database_.run("BEGIN IMMEDIATE"); }
  Status commit() { return database_.run("COMMIT"); }
  void rollback() { (void)database_.run("ROLLBACK"); }

  /// @param now_ms  kept with removals, for `forget`.
  Result<Applied> apply(const StoredChange& change, std::int64_t now_ms);
  /// Forgets removals that are older than `before_ms`, at most `limit`. @return how many.
  Result<std::int64_t> forget(std::int64_t before_ms, std::int64_t limit);

  /// What tells this file from any other; made with it.
  const std::string& id() const { return id_; }

 private:
  struct Row;

  explicit MetadataStore(Sqlite database) : database_(std::move(database)) {}
  Status prepare();
  Status read_id();
  /// @param change  what `same` of the row compares with.
  Result<std::optional<Row>> find(const StoredChange& change, std::string_view version);
  Result<Applied> put(const StoredChange& change, std::int64_t now_ms);
  Result<Applied> take_away(const StoredChange& change, std::int64_t now_ms);
  Status write(const std::optional<Row>& row, const StoredChange& change);
  /// Leaves a removed row under `version`, whether or not there was one.
  Status remove(const std::optional<Row>& row, const StoredChange& change, std::string_view version, std::int64_t now_ms);
  Result<bool> was_removed_since(const StoredChange& change);

  int lock_ = -1;  // descriptor of the locked file beside it
  Sqlite database_;
  std::string id_;
  std::optional<Statement> find_;
  std::optional<Statement> insert_;
  std::optional<Statement> update_;
  std::optional<Statement> touch_;
  std::optional<Statement> remove_;
  std::optional<Statement> insert_removed_;
  std::optional<Statement> forget_;
};

/// One version of an object, as it is shown.
struct ShownVersion {
  std::string bucket;
  std::string key;
  std::string version;     ///< as in StoredChange
  std::string version_id;  ///< internal; empty: it never had a version
  bool is_null = false;
  bool is_delete_marker = false;
  std::int64_t size = 0;
  std::string md5;
  std::string last_modified;
  std::string metadata;  ///< not in lists
};

/// Reads beside the one that writes.  Threads: one at a time. Errors: as MetadataStore.
class MetadataReader {
 public:
  static Result<MetadataReader> open(const std::string& path);

  /// Where a list ends, and where the next one is to go on: after `last`, if it is not empty.
  struct Page {
    std::vector<ShownVersion> objects;
    std::string last;
  };
  /// The newest versions of objects of `bucket` whose keys begin with `prefix` and are greater than `after`, in byte order; those
  /// that are delete markers are passed over. @param limit  at most so many. @param examined  keys looked at, at most.
  Result<Page> list(std::string_view bucket, std::string_view prefix, std::string_view after, std::size_t limit, std::size_t examined);
  /// Versions of `key`, the newest first, delete markers too. @param limit  at most so many.
  Result<std::vector<ShownVersion>> versions(std::string_view bucket, std::string_view key, std::size_t limit);
  /// @param version_id  as clients see it, or "null"; nullopt: the newest. nullopt: there is none.
  Result<std::optional<ShownVersion>> get(std::string_view bucket, std::string_view key, const std::optional<std::string>& version_id);

 private:
  explicit MetadataReader(Sqlite database) : database_(std::move(database)) {}
  Status prepare();
  Result<std::optional<ShownVersion>> newest(std::string_view bucket, std::string_view key);
  /// The first key that is not less than `from`.
  Result<std::optional<std::string>> next_key(std::string_view bucket, std::string_view from);

  Sqlite database_;
  std::optional<Statement> next_key_;
  std::optional<Statement> newest_;
  std::optional<Statement> versions_;
};

}  // namespace fermata::ingestion
