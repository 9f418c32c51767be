#pragma once

namespace fermata::crr {

/// What came of a record.
enum class Done {
  kCopied,
  kRemoved,
  kUpToDate,    ///< the target had it already
  kSuperseded,  ///< the source has moved on; another record tells where to
  kSkipped,     ///< it is not to be replicated; the state's reason says why
};

}  // namespace fermata::crr
