#pragma once

#include "base/status.hpp"
#include "pipeline/service_pipelines.hpp"
#include "ports/key_value_store.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::pipeline {

/// The records that a service gave up, in namespace "<service>/failed" under "<location, percent-encoded>/<id>". Keys and
/// values of any bytes; what is larger than one entry of the store continues in namespace "<service>/failed-parts".
///
/// Threads: [any]. put returns at once; the others block for I/O, at most 5 s.
class FailedStore {
 public:
  /// @param kv  outlives this object.
  FailedStore(std::string_view service, KeyValueStore& kv);

  /// "<topic>/<partition>/<offset>" with leading zeroes, so that ids of a partition sort by offset.
  static std::string make_id(std::string_view topic, std::int32_t partition, std::int64_t offset);

  Status put(std::string_view location, const FailedRecord& record);
  /// nullopt: there is none.
  Result<std::optional<FailedRecord>> get(std::string_view location, std::string_view id);
  /// By id. One that cannot be read is listed by its id and why.
  Result<std::vector<FailedRecord>> list(std::string_view location, std::string_view after_id, std::size_t limit);
  Status remove(std::string_view location, std::string_view id);

 private:
  static std::string make_key(std::string_view location, std::string_view id);
  static std::string part_prefix(std::string_view key);
  Result<FailedRecord> read(std::string_view id, std::string_view key, std::string first);

  std::string space_;
  std::string parts_space_;
  KeyValueStore& kv_;
};

}  // namespace fermata::pipeline
