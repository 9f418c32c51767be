#pragma once

#include "base/executor.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace fermata::plugin {

/// Tells a listener which locations have changed, each once per round however often it was noted, from a task of its own:
/// never from within the call that caused the change. Threads: [any].
class ChangeNotes {
 public:
  using Listener = std::function<void(std::string_view location)>;

  explicit ChangeNotes(Executor& executor);
  /// As listen({}).
  ~ChangeNotes();
  ChangeNotes(const ChangeNotes&) = delete;
  ChangeNotes& operator=(const ChangeNotes&) = delete;

  /// Replaces the listener; empty to have none. Waits, at most 5 s, until the one before is not called any more; not to be
  /// called by it.
  void listen(Listener listener);
  void note(std::string_view location);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fermata::plugin
