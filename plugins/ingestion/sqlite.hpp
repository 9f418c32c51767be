#pragma once

#include <fermata/sdk/status.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace fermata::ingestion {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// A connection to one database file. Threads: one at a time.
/// Errors: kUnavailable, with SQLite's words and the file's name.
class Sqlite {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  static Result<Sqlite> open(const std::string& path, Mode mode);

  Status run(const char* sql);
  Status error(std::string_view doing) const;
  sqlite3* raw() const { return database_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  explicit Sqlite(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

/// A prepared statement. What is bound is borrowed until the next reset. Threads: those of its connection.
class Statement {
 public:
  static Result<Statement> prepare(const Sqlite& database, std::string_view sql);

  /// Parameters count from 1.
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::int64_t number);
  /// True: there is a row.
  Result<bool> step();
  /// step and reset, for what gives no rows.
  Status run();
  void reset();

  /// Of the current row; columns count from 0. Valid until the next step or reset.
  std::string_view text(int column) const;
  std::int64_t number(int column) const { return sqlite3_column_int64(statement_.get(), column); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace fermata::ingestion
