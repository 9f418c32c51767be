#pragma once

#include <fermata/sdk/status.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fermata::ingestion {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// Where in which log an entry stood; numbers grow along a log. Both 0: not known.
struct LogOrigin {
  std::int64_t session = 0;
  std::int64_t sequence = 0;

  bool known() const { return sequence != 0; }
  /// Of the same log, and later. What is not known is later than nothing.
  bool is_after(const LogOrigin& other) const { return known() && other.known() && session == other.session && sequence > other.sequence; }
};

/// A change of the target bucket, as it goes through the queue.
struct Change {
  bool is_delete = false;
  std::string bucket;
  std::string key;  ///< metadata key: the object's, and if it is a version's a NUL and the internal version id
  std::string value;
  LogOrigin origin;
};

/// The key of a change's record: encodeURIComponent("<bucket>/<metadata key>").
std::string record_key(std::string_view bucket, std::string_view metadata_key);
/// The value: {"type","bucket","key","value","overheadFields":{"session","seq"}}; no "value" if it is a delete.
std::string record_value(bool is_delete, std::string_view bucket, std::string_view metadata_key, std::string_view value,
                         const LogOrigin& origin);
/// kInvalidArgument: not such a value. kNotFound: one to be passed over (a marker of Backbeat's).
Result<Change> parse_record(std::string_view value);

}  // namespace fermata::ingestion
