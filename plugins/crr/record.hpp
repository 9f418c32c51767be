#pragma once

#include "object.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// A change of one object, as it travels through the topic in Backbeat's form.
struct ReplicationRecord {
  enum class Type { kPut, kDelete };
  Type type = Type::kPut;
  ObjectId id;
  std::uint64_t version = 0;  ///< grows with every change that is journaled
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::vector<std::string> locations = {};

  bool names(std::string_view location) const;
};

/// The record's key: encodeURIComponent("<bucket>/<key>").
std::string record_key(const ObjectId& id);
std::string format_record(const ReplicationRecord& record);
/// kInvalidArgument, saying what is wrong.
Result<ReplicationRecord> parse_record(std::string_view json);

}  // namespace fermata::crr
