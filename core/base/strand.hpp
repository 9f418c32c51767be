#pragma once

#include "base/executor.hpp"

#include <memory>

namespace fermata {

/// Runs tasks one at a time, in order, on another executor. Threads: [any]. The tasks that are posted when a strand is
/// destroyed still run; they must not refer to what dies with it. Copyable: copies are the same strand.
class Strand {
 public:
  /// @param executor  outlives the strand's tasks.
  explicit Strand(Executor& executor);
  void post(Task task) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fermata
