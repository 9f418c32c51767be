#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace fermata::crr {

/// Whether a target may be tried. It opens when of the last tries too many failed because of the place, or a probe found
/// it not well, and stays open until a probe found it well again, so that an outage costs a probe now and then and not a try of every
/// object. Threads: [any].
class Breaker {
 public:
  static constexpr std::size_t kWindow = 20;     ///< tries that count
  static constexpr std::size_t kLeastTries = 5;  ///< before anything is concluded

  /// @param error_rate  of the window, from which on it opens; over 0, at most 1.
  explicit Breaker(double error_rate) : error_rate_(error_rate) {}

  void succeeded() { note(false, {}); }
  /// @param reason  the place's.
  void failed(const std::string& reason) { note(true, reason); }
  /// The place was looked at and is not well: opens, whatever the last tries were.
  void open(const std::string& reason);
  /// The place is well: closes, and forgets. @return true if it was open.
  bool close();

  /// Why it is open, "target-unreachable: ..."; empty: closed.
  std::string why_open() const;

 private:
  void note(bool failed, const std::string& reason);

  const double error_rate_;
  mutable std::mutex mutex_;  // guards all below
  std::deque<bool> tries_;    // true: failed
  std::size_t failures_ = 0;  // of tries_
  std::string reason_;        // empty: closed
};

}  // namespace fermata::crr
