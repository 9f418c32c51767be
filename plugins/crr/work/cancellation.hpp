#pragma once

#include "model/object.hpp"

#include <atomic>

namespace fermata::crr {

/// Ends long copies when the service stops. Threads: [any].
class Cancellation {
 public:
  void cancel() { cancelled_ = true; }
  void reset() { cancelled_ = false; }
  /// kUnavailable once it was cancelled.
  Status check() const { return cancelled_ ? Status(Code::kUnavailable, "the service is stopping") : Status::ok(); }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace fermata::crr
