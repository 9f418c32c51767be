#pragma once

#include "base/status.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace fermata::embedded {

/// A failed SQLite call; thrown inside this folder only, and turned into its status at the ports' methods. The message
/// names the file. kDataLoss for a damaged file, else kUnavailable: SQLite recovers once the disk does.
class SqlError : public std::runtime_error {
 public:
  explicit SqlError(Status status) : std::runtime_error(status.text()), status_(std::move(status)) {}
  const Status& status() const { return status_; }

 private:
  Status status_;
};

/// Bytes to be bound as a BLOB; a string_view is bound as TEXT. Borrowed until the query ends.
struct Blob {
  std::string_view bytes;
};

class Database;

/// One run of a prepared statement; ends when destroyed. At most one run of the same SQL at a time.
class Query {
 public:
  Query(Database& database, sqlite3_stmt* statement) : database_(&database), statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// Moves to the next row; false after the last.
  bool next();
  std::int64_t integer(int column) const;
  /// Of TEXT or BLOB; valid until next.
  std::string_view bytes(int column) const;

 private:
  Database* database_;
  sqlite3_stmt* statement_;
};

/// A connection to one file, in WAL mode with synchronous=FULL: what was committed survives power loss.
/// Threads: one at a time. Errors: every method throws SqlError.
class Database {
 public:
  /// Opens or makes the file.
  explicit Database(std::string file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// @param sql  a string literal with "?" for each argument; prepared once per connection.
  template <typename... Args>
  Query query(const char* sql, const Args&... args) {
    return Query(*this, bound(sql, args...));
  }
  /// Runs a statement to its end.
  template <typename... Args>
  void run(const char* sql, const Args&... args) {
    Query all(*this, bound(sql, args...));
    while (all.next()) continue;
  }
  /// Runs statements that take no arguments, unprepared.
  void execute(const std::string& script);

  /// Brings the schema to the newest version: step N leads from version N to N + 1. A file of a newer version is refused
  /// with kFailedPrecondition.
  void migrate(std::span<const char* const> steps);

  const std::string& file() const { return file_; }

 private:
  friend class Query;
  template <typename... Args>
  sqlite3_stmt* bound(const char* sql, const Args&... args) {
    sqlite3_stmt* statement = prepared(sql);
    [[maybe_unused]] int index = 0;
    (bind(statement, ++index, args), ...);
    return statement;
  }
  void bind(sqlite3_stmt* statement, int index, std::int64_t value);
  void bind(sqlite3_stmt* statement, int index, std::string_view text);
  void bind(sqlite3_stmt* statement, int index, Blob blob);
  sqlite3_stmt* prepared(const char* sql);
  void check(int code) const;
  [[noreturn]] void fail(int code) const;

  std::string file_;
  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;
};

/// BEGIN IMMEDIATE ... COMMIT, or ROLLBACK if it is destroyed first.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

/// Connections for reading one file from any thread, made on demand; a few idle ones are kept.
class ReaderPool {
 public:
  explicit ReaderPool(std::string file) : file_(std::move(file)) {}

  /// A connection of one's own until it is destroyed.
  class Reader {
   public:
    Reader(ReaderPool& pool, std::unique_ptr<Database> database) : pool_(pool), database_(std::move(database)) {}
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    Database* operator->() { return database_.get(); }

   private:
    ReaderPool& pool_;
    std::unique_ptr<Database> database_;
  };
  /// Throws SqlError.
  Reader take();

 private:
  const std::string file_;
  std::mutex mutex_;  // guards idle_
  std::vector<std::unique_ptr<Database>> idle_;
};

}  // namespace fermata::embedded
