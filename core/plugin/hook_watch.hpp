#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

namespace fermata::plugin {

/// A call of one of the plugin's [control] functions.
struct Hook {
  enum class Kind { kStart, kPause, kResume, kStatus } kind = Kind::kStart;
  std::string_view location = {};  ///< lives as long as the watch; empty for kStart
  std::chrono::milliseconds limit{1'000};
};

/// Notices hooks that take too long, with one timer however many there are. Threads: [any], but hooks begin and end on one
/// thread.
class HookWatch {
 public:
  /// Called once when a hook has passed its limit, and once more, `hung`, at ten times its limit; never after its end.
  /// It must be quick and must not call the watch.
  using Overrun = std::function<void(const Hook& hook, bool hung)>;

  HookWatch(Executor& executor, const Clock& clock, Overrun overrun);
  /// No callback runs afterwards.
  ~HookWatch();
  HookWatch(const HookWatch&) = delete;
  HookWatch& operator=(const HookWatch&) = delete;

  void begin(const Hook& hook);
  /// @return how long it took, if that was reported as too long; otherwise zero.
  std::chrono::milliseconds end();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fermata::plugin
