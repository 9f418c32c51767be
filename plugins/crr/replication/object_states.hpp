#pragma once

#include "model/object.hpp"

#include <fermata/sdk/host.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::crr {

/// How the replication of one object to one location stands.
struct ObjectState {
  enum class Status { kPending, kCompleted, kFailed, kSkipped };
  Status status = Status::kPending;
  std::uint64_t version = 0;   ///< of the record that brought it here
  std::uint32_t attempts = 0;  ///< of that record
  std::int64_t updated_ms = 0;
  std::int64_t completed_ms = 0;  ///< of the last completion; 0: never
  std::uint64_t bytes = 0;        ///< of the last completion
  std::string etag = {};
  std::string fingerprint = {};  ///< of the source when it was copied
  std::string reason = {};       ///< why it failed, was skipped, or waits to be tried again
  std::string failed_id = {};    ///< of the last record that was given up, in the host's failed store; empty: it is settled

  // Of sources that keep versions.
  std::string version_id = {};      ///< the newest one that the target has, or that was passed over
  std::string failed_version = {};  ///< that was given up
  bool deleted = false;             ///< version_id is a delete marker
  bool unsure = false;              ///< a later one may be at the target: a write ended without an answer
  /// The last delete markers: the source's version id and the target's.
  std::vector<std::pair<std::string, std::string>> markers = {};
  static constexpr std::size_t kMaxMarkers = 16;
  /// The last older versions that could not be copied and were left out, with why.
  std::vector<std::pair<std::string, std::string>> left_out = {};
  static constexpr std::size_t kMaxLeftOut = 16;
};

std::string_view to_string(ObjectState::Status status);
std::optional<ObjectState::Status> parse_object_status(std::string_view text);

/// The states of all objects at all locations, one entry each, so that locations do not race: in the host's key-value
/// store under "object/<bucket>/<key>", NUL, location. No entry: PENDING if the object is journaled at all.
/// Threads: [any]. Methods may block for I/O, at most 5 s.
class ObjectStates {
 public:
  /// @param host  borrowed; outlives this.
  explicit ObjectStates(const sdk::Host& host) : host_(host) {}

  sdk::Status put(const ObjectId& id, std::string_view location, const ObjectState& state) const;
  sdk::Status remove(const ObjectId& id, std::string_view location) const;
  Result<std::optional<ObjectState>> get(const ObjectId& id, std::string_view location) const;

 private:
  const sdk::Host& host_;
};

}  // namespace fermata::crr
