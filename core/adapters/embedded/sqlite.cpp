#include "adapters/embedded/sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>
#include <utility>

namespace fermata::embedded {

namespace {

constexpr std::size_t kIdleReaders = 4;

// 16 KiB pages: blocks of records span few pages, which measured nine times faster than 4 KiB. secure_delete is on in
// Debian's build and would write every freed page. WAL is copied back once it holds 16 MiB.
constexpr const char* kPragmas =
    "PRAGMA page_size=16384;"
    "PRAGMA auto_vacuum=INCREMENTAL;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA secure_delete=OFF;"
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA wal_autocheckpoint=1024;";

}  // namespace

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Query::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->fail(code);
  return false;
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Query::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return data == nullptr ? std::string_view() : std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Database::Database(std::string file) : file_(std::move(file)) {
  const int code = sqlite3_open_v2(file_.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  try {
    check(code);
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, 5'000);
    execute(kPragmas);
  } catch (const SqlError&) {
    sqlite3_close_v2(handle_);
    throw;
  }
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

void Database::execute(const std::string& script) { check(sqlite3_exec(handle_, script.c_str(), nullptr, nullptr, nullptr)); }

void Database::migrate(std::span<const char* const> steps) {
  std::int64_t version = 0;
  {
    Query current = query("PRAGMA user_version");
    if (current.next()) version = current.integer(0);
  }
  const auto newest = static_cast<std::int64_t>(steps.size());
  if (version > newest)
    throw SqlError({Code::kFailedPrecondition,
                    fmt::format("{} was written by a newer Fermata (format {}, this one knows up to {}): run that version, or give "
                                "this one another data_dir",
                                file_, version, newest)});
  for (; version < newest; ++version) {
    Transaction transaction(*this);
    execute(steps[static_cast<std::size_t>(version)]);
    execute(fmt::format("PRAGMA user_version={}", version + 1));
    transaction.commit();
  }
}

void Database::bind(sqlite3_stmt* statement, int index, std::int64_t value) { check(sqlite3_bind_int64(statement, index, value)); }

void Database::bind(sqlite3_stmt* statement, int index, std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  check(sqlite3_bind_text64(statement, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Database::bind(sqlite3_stmt* statement, int index, Blob blob) {
  const char* data = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
  check(sqlite3_bind_blob64(statement, index, data, blob.bytes.size(), SQLITE_STATIC));
}

sqlite3_stmt* Database::prepared(const char* sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return known->second;
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  statements_.emplace(sql, statement);
  return statement;
}

void Database::check(int code) const {
  if (code != SQLITE_OK) fail(code);
}

void Database::fail(int code) const {
  const std::string what = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  const int primary = code & 0xff;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
    throw SqlError({Code::kDataLoss, fmt::format("{} is damaged ({}): restore it, or move it away to begin anew", file_, what)});
  if (primary == SQLITE_FULL) throw SqlError({Code::kUnavailable, fmt::format("{}: {}: free some space", file_, what)});
  const int os_error = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  const std::string cause = os_error == 0 ? "" : fmt::format(" ({})", std::strerror(os_error));
  throw SqlError({Code::kUnavailable, fmt::format("{}: {}{}", file_, what, cause)});
}

Transaction::Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const SqlError&) {
    // SQLite has rolled back by itself, as it does when the disk is full.
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

ReaderPool::Reader ReaderPool::take() {
  std::unique_ptr<Database> database;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      database = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!database) database = std::make_unique<Database>(file_);
  return {*this, std::move(database)};
}

ReaderPool::Reader::~Reader() {
  const std::lock_guard lock(pool_.mutex_);
  if (pool_.idle_.size() < kIdleReaders) pool_.idle_.push_back(std::move(database_));
}

}  // namespace fermata::embedded
