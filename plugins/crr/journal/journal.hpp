#pragma once

#include "model/object.hpp"

#include <fermata/sdk/host.hpp>

#include <string>

namespace fermata::crr {

/// An ordered source of changes to objects, feeding one populator of the host.
///
/// Lifecycle: construct -> start -> stop -> destroy.
/// Threads:   poll and degraded are [any]; start and stop are [control].
class Journal {
 public:
  virtual ~Journal() = default;

  /// Starts its thread. @return kUnavailable if it may work later.
  virtual Status start() = 0;
  /// Finishes an open poll and joins the thread. Idempotent.
  virtual void stop() = 0;
  /// The populator's poll: returns at once, `batch` is finished soon. See <fermata/abi/populator.h>.
  virtual void poll(std::string checkpoint, sdk::Batch batch) = 0;
  /// Why changes are found later than they should be, and what to do; empty if all is well.
  virtual std::string degraded() const = 0;
};

}  // namespace fermata::crr
