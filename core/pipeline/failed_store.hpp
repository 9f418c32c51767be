#pragma once

#include "base/status.hpp"
#include "pipeline/service_pipelines.hpp"
#include "ports/key_value_store.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace fermata::pipeline {

/// The records that a service gave up, in namespace "<service>/failed" under "<location, percent-encoded>/<id>". Keys and
/// values of any bytes; what is larger than one entry of the store continues in namespace "<service>/failed-parts".
///
/// Nodes share the store and are not told what others put and remove: each counts what is there now and then.
///
/// Threads: [any], but count_page by one caller at a time. put and count return at once; the others block for I/O, at
///          most 5 s.
class FailedStore {
 public:
  /// @param kv  outlives this object.
  FailedStore(std::string_view service, KeyValueStore& kv);

  /// "<topic>/<partition>/<offset>" with leading zeroes, so that ids of a partition sort by offset.
  static std::string make_id(std::string_view topic, std::int32_t partition, std::int64_t offset);

  /// Reads the next page of a pass through all locations; after the last one, `count` shows what the pass found.
  /// @return whether the pass has more pages; the next call then goes on, else begins a new pass. After an error it goes
  ///         on where it was.
  Result<bool> count_page();
  /// How many there are, without I/O: as the last pass found them, with what this object put and removed since; of more
  /// than kMaxCounted, as many as that.
  std::int64_t count(std::string_view location) const;

  Status put(std::string_view location, const FailedRecord& record);
  /// nullopt: there is none.
  Result<std::optional<FailedRecord>> get(std::string_view location, std::string_view id);
  /// By id. One that cannot be read is listed by its id and why.
  Result<std::vector<FailedRecord>> list(std::string_view location, std::string_view after_id, std::size_t limit);
  Status remove(std::string_view location, std::string_view id);

  static constexpr std::size_t kMaxCounted = 100'000;

 private:
  // Hashes of ids: whether an id is new must be known without a read, and 8 bytes are enough for a count.
  using Known = std::map<std::string, std::unordered_set<std::size_t>, std::less<>>;  // by location

  static bool add(Known& known, std::string_view location, std::string_view id);
  bool learn(std::string_view location, std::string_view id);
  void forget(std::string_view location, std::string_view id);
  static std::string make_key(std::string_view location, std::string_view id);
  static std::string part_prefix(std::string_view key);
  Result<FailedRecord> read(std::string_view id, std::string_view key, std::string first);

  std::string space_;
  std::string parts_space_;
  KeyValueStore& kv_;

  std::string counted_to_;  // the key where the pass goes on

  mutable std::mutex mutex_;  // guards all below
  Known known_;
  Known found_;  // by the pass so far, and put since it began
};

}  // namespace fermata::pipeline
