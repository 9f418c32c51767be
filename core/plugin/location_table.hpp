#pragma once

#include "base/clock.hpp"
#include "base/status.hpp"
#include "plugin/plugin_calls.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::plugin {

/// What one location is to do and how far the plugin's hook for it has got.
struct LocationProgress {
  std::optional<bool> wanted_paused;  ///< nullopt: nobody has said yet
  bool done = false;                  ///< the plugin's hook for what is wanted has succeeded
  std::string trouble = {};           ///< why it has not: the hook failed, or takes too long
  PluginStatus status = {};
};

/// All locations of a service: what is wanted, and one queue of those whose pause or resume hook is due. A location costs
/// a map entry: no thread, no timer. Threads: [any].
class LocationTable {
 public:
  explicit LocationTable(std::vector<std::string> names);

  /// A hook to be called. `name` lives as long as the table.
  struct Job {
    std::string_view name;
    bool pause = false;
  };

  /// Notes what is wanted and puts the location in the queue if its hook is due; the last call wins. False: nothing is
  /// new, or there is no such location.
  bool want(std::string_view name, bool paused);
  bool wants_paused(std::string_view name) const;

  std::optional<Job> next();
  /// How a hook went. A failed one is due again after a back-off of 1 s to 30 s. Of no effect if meanwhile something else
  /// is wanted.
  void finished(const Job& job, const Status& result, SteadyTime now);
  /// The hook of this location takes too long.
  void overran(std::string_view name, std::string message);
  /// Puts failed hooks whose back-off is over in the queue again. @return whether there are any.
  bool queue_due(SteadyTime now);

  /// @return whether it changed.
  bool set_status(std::string_view name, PluginStatus status);
  /// nullopt: no such location.
  std::optional<LocationProgress> progress(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  struct Location {
    LocationProgress progress;
    bool queued = false;
    std::uint32_t failures = 0;  // of the hook, in a row
    SteadyTime retry_at = {};
  };

  Location* find(std::string_view name);
  void queue(std::string_view name, Location& location);

  const std::vector<std::string> names_;            // in the order of the configuration
  mutable std::mutex mutex_;                        // guards all below
  std::map<std::string_view, Location> locations_;  // keys point into names_
  std::deque<std::string_view> due_;
  std::map<std::string_view, Location*> failing_;
};

}  // namespace fermata::plugin
