#include "sqlite.hpp"

#include <utility>

namespace fermata::ingestion {
namespace {

constexpr int kBusyMs = 5'000;

Status failed(sqlite3* database, std::string_view doing) {
  return {Code::kUnavailable, "the metadata store: " + std::string(doing) + ": " + sqlite3_errmsg(database)};
}

}  // namespace

Result<Sqlite> Sqlite::open(const std::string& path, Mode mode) {
  Sqlite out(path);
  sqlite3* raw = nullptr;
  const int flags = mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  out.database_.reset(raw);
  if (code != SQLITE_OK)
    return Status(Code::kUnavailable, "the metadata store " + path + " cannot be opened: " + sqlite3_errstr(code) +
                                          "; check that its folder exists and may be written");
  sqlite3_busy_timeout(raw, kBusyMs);
  return out;
}

Status Sqlite::run(const char* sql) {
  return sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Status::ok() : error(sql);
}

Status Sqlite::error(std::string_view doing) const {
  return failed(database_.get(), std::string(doing.substr(0, doing.find('\n'))) + " in " + path_);
}

Result<Statement> Statement::prepare(const Sqlite& database, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(database.raw(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK)
    return database.error(sql);
  return Statement(raw);
}

Statement& Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), index, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_.get(), index, number);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const Status status = failed(sqlite3_db_handle(statement_.get()), sqlite3_sql(statement_.get()));
  reset();
  return status;
}

Status Statement::run() {
  const auto stepped = step();
  reset();
  return stepped.status();
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

std::string_view Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

}  // namespace fermata::ingestion
