#pragma once

#include "model/object.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// A change of one object, as it travels through the topic in Backbeat's form.
struct ReplicationRecord {
  enum class Type {
    kPut,            ///< content and metadata came, as version `version_id`
    kDelete,         ///< the object went; where versions are kept, by the delete marker `version_id`
    kDeleteVersion,  ///< the version `version_id` was removed for good
    kTags,           ///< the tags of `version_id` changed
    kSync,           ///< nobody said what happened: bring the key up to the source
  };
  Type type = Type::kPut;
  ObjectId id;
  std::uint64_t version = 0;  ///< grows with every change that is journaled
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::vector<std::string> locations = {};
  std::string version_id = {};  ///< the store's; "null" or empty where it keeps no versions
  bool late = false;            ///< told so long after it happened that it may stand out of order
  bool alone = false;           ///< the source listed this version and no other of the key

  bool names(std::string_view location) const;
  /// True if a store that keeps versions told of it.
  bool is_versioned() const { return !version_id.empty() && version_id != "null"; }
};

/// The record's key: encodeURIComponent("<bucket>/<key>").
std::string record_key(const ObjectId& id);
std::string format_record(const ReplicationRecord& record);
/// kInvalidArgument, saying what is wrong.
Result<ReplicationRecord> parse_record(std::string_view json);

}  // namespace fermata::crr
