#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace fermata::kafka {

/// What the members of this process are called in their groups (group.instance.id), the same after a restart.
///
/// A name must be unique in its group, so members of one group on one topic are numbered, the smallest free number first.
/// Threads: [any].
class MemberNames {
 public:
  explicit MemberNames(const std::string& node_id);

  /// Taken as long as it is held. Outlives MemberNames if need be.
  using Name = std::shared_ptr<const std::string>;
  Name claim(const std::string& topic, const std::string& group);

 private:
  struct Taken {
    std::mutex mutex;                                     // guards names
    std::set<std::pair<std::string, std::string>> names;  ///< group and name
  };
  const std::string node_;
  const std::shared_ptr<Taken> taken_ = std::make_shared<Taken>();
};

}  // namespace fermata::kafka
