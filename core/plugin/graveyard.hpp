#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace fermata::plugin {

/// Something that a plugin still hangs in when its time is over.
class Stuck {
 public:
  virtual ~Stuck() = default;
  /// Nothing runs in it any more, so that destroying it neither blocks nor hurts.
  virtual bool at_rest() const = 0;
};

/// Where instances go that hang inside a plugin, with their thread and everything they may still touch. They are never
/// waited for: those that come to rest are destroyed, the others stay until the process ends. Threads: [any].
class Graveyard {
 public:
  Graveyard() = default;
  Graveyard(const Graveyard&) = delete;
  Graveyard& operator=(const Graveyard&) = delete;
  /// Leaves what still hangs to the end of the process, which then must be an _exit: a normal exit would destroy what
  /// those threads use.
  ~Graveyard();

  void bury(std::shared_ptr<Stuck> stuck);
  /// Destroys those that have come to rest. @return how many hang now.
  std::size_t sweep();

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Stuck>> graves_;  // guarded by mutex_
};

}  // namespace fermata::plugin
