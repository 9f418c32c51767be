#pragma once

#include "model/object.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// Which objects go where. All conditions must hold.
struct Rule {
  std::string bucket = {};                  ///< empty: every bucket
  std::string prefix = {};                  ///< of the key
  Tags tags = {};                           ///< that the object must have, among others
  std::vector<std::string> locations = {};  ///< destinations; empty: all
  bool delete_markers = true;               ///< deletions are replicated
  bool version_deletes = true;              ///< so is the removal of single versions
};

/// The rules of a service. Immutable. Threads: [any].
class Rules {
 public:
  /// @param rules  empty: every object to every location.
  Rules(std::vector<Rule> rules, std::vector<std::string> locations);

  /// Locations that some rule may send the object to, whatever its tags, in the order of the configuration.
  std::vector<std::string> destinations(const ObjectId& id) const;
  /// True if a rule sends an object with these tags to `location`.
  bool matches(const ObjectId& id, std::string_view location, const Tags& tags) const;
  /// What the first rule for bucket, key and location (whatever its tags) says.
  bool delete_markers(const ObjectId& id, std::string_view location) const;
  bool version_deletes(const ObjectId& id, std::string_view location) const;
  /// Buckets that the rules name; empty: all of the source.
  std::vector<std::string> buckets() const;

 private:
  /// The first rule for bucket, key and location, whatever its tags; null: there is none.
  const Rule* first(const ObjectId& id, std::string_view location) const;

  const std::vector<Rule> rules_;  // at least one
  const std::vector<std::string> locations_;
};

}  // namespace fermata::crr
