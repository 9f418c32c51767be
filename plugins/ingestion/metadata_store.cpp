#include "metadata_store.hpp"

#include "version_id.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fermata::ingestion {
namespace {

constexpr std::int64_t kSchemaVersion = 1;
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "INSERT OR IGNORE INTO about VALUES ('id', lower(hex(randomblob(16))));"
    "CREATE TABLE IF NOT EXISTS objects ("
    "  bucket TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, rank TEXT NOT NULL,"
    "  state INTEGER NOT NULL, is_null INTEGER NOT NULL, session INTEGER NOT NULL, seq INTEGER NOT NULL,"
    "  size INTEGER NOT NULL, md5 TEXT NOT NULL, last_modified TEXT NOT NULL, removed_ms INTEGER NOT NULL, metadata TEXT NOT NULL,"
    "  UNIQUE (bucket, key, version));"
    "CREATE INDEX IF NOT EXISTS removed_objects ON objects (removed_ms) WHERE state = 2;"
    "CREATE VIEW IF NOT EXISTS latest AS SELECT bucket, key, version, size, md5, last_modified, metadata FROM objects AS mine"
    "  WHERE state = 0 AND NOT EXISTS (SELECT 1 FROM objects AS other WHERE other.bucket = mine.bucket AND other.key = mine.key"
    "  AND other.state < 2 AND (other.rank < mine.rank OR (other.rank = mine.rank AND other.version > mine.version)));";

enum class State : std::int64_t { kObject = 0, kDeleteMarker = 1, kRemoved = 2 };

State state_of(StoredChange::Kind kind) {
  return kind == StoredChange::Kind::kObject         ? State::kObject
         : kind == StoredChange::Kind::kDeleteMarker ? State::kDeleteMarker
                                                     : State::kRemoved;
}

/// By which a row is older or newer than others of its key.
std::string_view rank_of(const StoredChange& change) {
  if (!change.version.empty()) return change.version;
  return change.version_id.empty() ? kOldestVersion : std::string_view(change.version_id);
}

/// @return its descriptor: the lock goes with it.
Result<int> lock_beside(const std::string& path) {
  const std::string name = path + ".lock";
  const int lock = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0)
    return Status(Code::kUnavailable, "the metadata store " + path + " cannot be opened: " + name + ": " + std::strerror(errno) +
                                          "; check that its folder exists and may be written");
  if (::flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  ::close(lock);
  return Status(Code::kFailedPrecondition,
                "the metadata store " + path + " is in use by another daemon; give each a settings.store.path of its own");
}

Status prepare_into(std::optional<Statement>& out, const Sqlite& database, std::string_view sql) {
  auto made = Statement::prepare(database, sql);
  if (!made) return made.status();
  out.emplace(std::move(*made));
  return Status::ok();
}

}  // namespace

struct MetadataStore::Row {
  std::int64_t id = 0;
  State state = State::kObject;
  LogOrigin origin;
  std::string rank;
  bool same = false;  // it says what the change says
};

Result<MetadataStore> MetadataStore::open(const StoreSettings& settings) {
  const auto lock = lock_beside(settings.path);
  if (!lock) return lock.status();
  auto database = Sqlite::open(settings.path, Sqlite::Mode::kReadWrite);
  if (!database) {
    ::close(*lock);
    return database.status();
  }
  MetadataStore out(std::move(*database));
  out.lock_ = *lock;
  if (auto status = out.database_.run(settings.survives_power_loss ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
                                                                   : "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
      !status)
    return status;
  if (auto status = out.prepare(); !status) return status;
  return out;
}

MetadataStore::MetadataStore(MetadataStore&& other) noexcept
    : lock_(std::exchange(other.lock_, -1)),
      database_(std::move(other.database_)),
      id_(std::move(other.id_)),
      find_(std::move(other.find_)),
      insert_(std::move(other.insert_)),
      update_(std::move(other.update_)),
      touch_(std::move(other.touch_)),
      remove_(std::move(other.remove_)),
      insert_removed_(std::move(other.insert_removed_)),
      forget_(std::move(other.forget_)) {}

MetadataStore::~MetadataStore() {
  if (lock_ >= 0) ::close(lock_);
}

Status MetadataStore::prepare() {
  if (auto status = read_id(); !status) return status;
  const std::pair<std::optional<Statement>*, std::string_view> statements[] = {
      {&find_, "SELECT rowid, state, session, seq, rank, metadata FROM objects WHERE bucket = ?1 AND key = ?2 AND version = ?3"},
      {&insert_, "INSERT INTO objects VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12)"},
      {&update_,
       "UPDATE objects SET rank = ?2, state = ?3, is_null = ?4, session = ?5, seq = ?6, size = ?7, md5 = ?8, last_modified = ?9,"
       " removed_ms = 0, metadata = ?10 WHERE rowid = ?1"},
      {&touch_, "UPDATE objects SET session = ?2, seq = ?3 WHERE rowid = ?1"},
      {&remove_,
       "UPDATE objects SET state = 2, is_null = 0, session = ?2, seq = ?3, size = 0, md5 = '', last_modified = '', removed_ms = ?4,"
       " metadata = '' WHERE rowid = ?1"},
      {&insert_removed_, "INSERT INTO objects VALUES (?1, ?2, ?3, ?3, 2, 0, ?4, ?5, 0, '', '', ?6, '')"},
      {&forget_,
       "DELETE FROM objects WHERE rowid IN (SELECT rowid FROM objects WHERE state = 2 AND removed_ms < ?1 ORDER BY removed_ms LIMIT ?2)"},
  };
  for (const auto& [statement, sql] : statements)
    if (auto status = prepare_into(*statement, database_, sql); !status) return status;
  return Status::ok();
}

Status MetadataStore::read_id() {
  std::optional<Statement> query;
  if (auto status = prepare_into(query, database_, "PRAGMA user_version"); !status) return status;
  const auto row = query->step();
  if (!row) return row.status();
  const auto version = query->number(0);
  query.reset();
  if (version > kSchemaVersion)
    return {Code::kFailedPrecondition, "the metadata store was written by a later version of this plugin (its schema is " +
                                           std::to_string(version) + ", ours " + std::to_string(kSchemaVersion) + "); upgrade the plugin"};
  if (version < kSchemaVersion) {
    if (auto status = database_.run((std::string("BEGIN IMMEDIATE;") + kSchema + "PRAGMA user_version=1; COMMIT").c_str()); !status)
      return status;
  }
  if (auto status = prepare_into(query, database_, "SELECT value FROM about WHERE name = 'id'"); !status) return status;
  const auto found = query->step();
  if (!found) return found.status();
  id_ = query->text(0);
  return Status::ok();
}

Result<std::optional<MetadataStore::Row>> MetadataStore::find(const StoredChange& change, std::string_view version) {
  find_->bind(1, change.bucket).bind(2, change.key).bind(3, version);
  const auto found = find_->step();
  if (!found) return found.status();
  std::optional<Row> out;
  if (*found) {
    out.emplace();
    out->id = find_->number(0);
    out->state = static_cast<State>(find_->number(1));
    out->origin = {find_->number(2), find_->number(3)};
    out->rank = find_->text(4);
    out->same = out->state == state_of(change.kind) && find_->text(5) == change.metadata;
  }
  find_->reset();
  return out;
}

Result<MetadataStore::Applied> MetadataStore::apply(const StoredChange& change, std::int64_t now_ms) {
  return change.kind == StoredChange::Kind::kRemoval ? take_away(change, now_ms) : put(change, now_ms);
}

Result<MetadataStore::Applied> MetadataStore::put(const StoredChange& change, std::int64_t now_ms) {
  const auto row = find(change, change.version);
  if (!row) return row.status();
  if (*row && (*row)->origin.is_after(change.origin)) return Applied::kStale;
  const auto removed = was_removed_since(change);
  if (!removed) return removed.status();
  if (*removed) return Applied::kStale;
  // The null version got a key of its own, so the plain key, which had it, has become a copy of another version.
  if (change.is_null && !change.version.empty()) {
    const auto plain = find(change, {});
    if (!plain) return plain.status();
    if (!*plain || !(*plain)->origin.is_after(change.origin))
      if (auto status = remove(*plain, change, {}, now_ms); !status) return status;
  }
  if (!*row || !(*row)->same) {
    if (auto status = write(*row, change); !status) return status;
    return Applied::kWritten;
  }
  // Only where it came from is newer.
  touch_->bind(1, (*row)->id).bind(2, change.origin.session).bind(3, change.origin.sequence);
  if (auto status = touch_->run(); !status) return status;
  return Applied::kSame;
}

Result<MetadataStore::Applied> MetadataStore::take_away(const StoredChange& change, std::int64_t now_ms) {
  const auto row = find(change, change.version);
  if (!row) return row.status();
  if (*row && (*row)->origin.is_after(change.origin)) return Applied::kStale;
  const bool was_there = *row && (*row)->state != State::kRemoved;
  if (auto status = remove(*row, change, change.version, now_ms); !status) return status;
  if (change.version.empty()) return was_there ? Applied::kWritten : Applied::kSame;
  // The plain key may hold the same version, as a null version has no other key at first.
  const auto plain = find(change, {});
  if (!plain) return plain.status();
  if (*plain && (*plain)->state != State::kRemoved && (*plain)->rank == change.version && !(*plain)->origin.is_after(change.origin)) {
    if (auto status = remove(*plain, change, {}, now_ms); !status) return status;
    return Applied::kWritten;
  }
  return was_there ? Applied::kWritten : Applied::kSame;
}

/// Whether the version that the plain key is to hold was removed later, under its own key.
Result<bool> MetadataStore::was_removed_since(const StoredChange& change) {
  if (!change.version.empty() || change.version_id.empty()) return false;
  const auto version = find(change, change.version_id);
  if (!version) return version.status();
  return *version && (*version)->state == State::kRemoved && (*version)->origin.is_after(change.origin);
}

Status MetadataStore::write(const std::optional<Row>& row, const StoredChange& change) {
  const auto state = static_cast<std::int64_t>(state_of(change.kind));
  if (row) {
    update_->bind(1, row->id).bind(2, rank_of(change)).bind(3, state).bind(4, std::int64_t{change.is_null ? 1 : 0});
    update_->bind(5, change.origin.session).bind(6, change.origin.sequence).bind(7, change.size).bind(8, change.md5);
    return update_->bind(9, change.last_modified).bind(10, change.metadata).run();
  }
  insert_->bind(1, change.bucket).bind(2, change.key).bind(3, change.version).bind(4, rank_of(change)).bind(5, state);
  insert_->bind(6, std::int64_t{change.is_null ? 1 : 0}).bind(7, change.origin.session).bind(8, change.origin.sequence);
  return insert_->bind(9, change.size).bind(10, change.md5).bind(11, change.last_modified).bind(12, change.metadata).run();
}

Status MetadataStore::remove(const std::optional<Row>& row, const StoredChange& change, std::string_view version, std::int64_t now_ms) {
  if (row) return remove_->bind(1, row->id).bind(2, change.origin.session).bind(3, change.origin.sequence).bind(4, now_ms).run();
  insert_removed_->bind(1, change.bucket).bind(2, change.key).bind(3, version);
  return insert_removed_->bind(4, change.origin.session).bind(5, change.origin.sequence).bind(6, now_ms).run();
}

Result<std::int64_t> MetadataStore::forget(std::int64_t before_ms, std::int64_t limit) {
  if (auto status = forget_->bind(1, before_ms).bind(2, limit).run(); !status) return status;
  return std::int64_t{sqlite3_changes(database_.raw())};
}

namespace {

#define FERMATA_SHOWN "bucket, key, version, rank, is_null, state, size, md5, last_modified, metadata"
#define FERMATA_OF_KEY " FROM objects WHERE bucket = ?1 AND key = ?2 AND state < 2"
constexpr std::string_view kNextKey = "SELECT key FROM objects WHERE bucket = ?1 AND key >= ?2 ORDER BY key LIMIT 1";
// The first version by name is the newest; the plain key stands apart.
constexpr std::string_view kNewest =
    "SELECT * FROM (SELECT " FERMATA_SHOWN FERMATA_OF_KEY
    " AND version > '' ORDER BY version LIMIT 1) UNION ALL SELECT " FERMATA_SHOWN FERMATA_OF_KEY " AND version = ''";
constexpr std::string_view kVersions = "SELECT " FERMATA_SHOWN FERMATA_OF_KEY " ORDER BY rank, version DESC LIMIT ?3";
#undef FERMATA_SHOWN
#undef FERMATA_OF_KEY

ShownVersion shown(const Statement& row) {
  ShownVersion out;
  out.bucket = row.text(0);
  out.key = row.text(1);
  out.version = row.text(2);
  out.version_id = row.text(3);
  if (out.version.empty() && out.version_id == kOldestVersion) out.version_id.clear();
  out.is_null = row.number(4) != 0 || out.version.empty();
  out.is_delete_marker = static_cast<State>(row.number(5)) == State::kDeleteMarker;
  out.size = row.number(6);
  out.md5 = row.text(7);
  out.last_modified = row.text(8);
  return out;
}

bool is_of(const ShownVersion& version, const std::string& version_id) {
  return version_id == "null" ? version.is_null : encode_version_id(version.version_id) == version_id;
}

}  // namespace

Result<MetadataReader> MetadataReader::open(const std::string& path) {
  auto database = Sqlite::open(path, Sqlite::Mode::kReadOnly);
  if (!database) return database.status();
  MetadataReader out(std::move(*database));
  if (auto status = out.prepare(); !status) return status;
  return out;
}

Status MetadataReader::prepare() {
  if (auto status = prepare_into(next_key_, database_, kNextKey); !status) return status;
  if (auto status = prepare_into(newest_, database_, kNewest); !status) return status;
  return prepare_into(versions_, database_, kVersions);
}

Result<std::optional<std::string>> MetadataReader::next_key(std::string_view bucket, std::string_view from) {
  next_key_->bind(1, bucket).bind(2, from);
  const auto found = next_key_->step();
  if (!found) return found.status();
  std::optional<std::string> out;
  if (*found) out = next_key_->text(0);
  next_key_->reset();
  return out;
}

Result<std::optional<ShownVersion>> MetadataReader::newest(std::string_view bucket, std::string_view key) {
  newest_->bind(1, bucket).bind(2, key);
  std::optional<ShownVersion> out;
  std::string rank;
  for (;;) {
    const auto row = newest_->step();
    if (!row) return row.status();
    if (!*row) break;
    if (out && newest_->text(3) >= rank) continue;
    rank = newest_->text(3);
    out = shown(*newest_);
    out->metadata = newest_->text(9);
  }
  newest_->reset();
  return out;
}

Result<MetadataReader::Page> MetadataReader::list(std::string_view bucket, std::string_view prefix, std::string_view after,
                                                  std::size_t limit, std::size_t examined) {
  Page page;
  std::string from = after.empty() || after < prefix ? std::string(prefix) : std::string(after) + '\0';
  for (; examined > 0 && page.objects.size() < limit; --examined) {
    auto key = next_key(bucket, from);
    if (!key) return key.status();
    if (!*key || !(*key)->starts_with(prefix)) {
      page.last.clear();
      return page;
    }
    auto object = newest(bucket, **key);
    if (!object) return object.status();
    page.last = **key;
    from = **key + '\0';
    if (*object && !(*object)->is_delete_marker) page.objects.push_back(std::move(**object));
  }
  return page;
}

Result<std::vector<ShownVersion>> MetadataReader::versions(std::string_view bucket, std::string_view key, std::size_t limit) {
  versions_->bind(1, bucket).bind(2, key).bind(3, static_cast<std::int64_t>(limit));
  std::vector<ShownVersion> out;
  for (;;) {
    const auto row = versions_->step();
    if (!row) return row.status();
    if (!*row) break;
    auto version = shown(*versions_);
    // A null version that got a key of its own may still stand under the plain one.
    if (!out.empty() && !version.version_id.empty() && out.back().version_id == version.version_id) continue;
    out.push_back(std::move(version));
  }
  versions_->reset();
  return out;
}

Result<std::optional<ShownVersion>> MetadataReader::get(std::string_view bucket, std::string_view key,
                                                        const std::optional<std::string>& version_id) {
  if (!version_id) return newest(bucket, key);
  versions_->bind(1, bucket).bind(2, key).bind(3, std::int64_t{-1});
  std::optional<ShownVersion> out;
  while (!out) {
    const auto row = versions_->step();
    if (!row) return row.status();
    if (!*row) break;
    auto version = shown(*versions_);
    if (!is_of(version, *version_id)) continue;
    version.metadata = versions_->text(9);
    out = std::move(version);
  }
  versions_->reset();
  return out;
}

}  // namespace fermata::ingestion
