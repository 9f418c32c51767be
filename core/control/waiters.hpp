#pragma once

#include "control/service_table.hpp"
#include "control/turns.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace fermata::control {

/// Those who wait until locations are what is desired. Threads: [turn].
class Waiters {
 public:
  using IsConverged = std::function<bool(const Service& service, std::size_t location)>;
  using Done = std::function<void(bool)>;

  Waiters(Turns turns, IsConverged is_converged) : turns_(std::move(turns)), is_converged_(std::move(is_converged)) {}

  /// Calls back once: with true as soon as all are, with false at `timeout`, or at once when 10,000 wait already.
  void wait(std::shared_ptr<Service> service, std::vector<std::size_t> locations, std::chrono::milliseconds timeout, Done done);
  /// Something changed that may have made locations converge.
  void check();

 private:
  struct Waiter {
    std::shared_ptr<Service> service;
    std::vector<std::size_t> locations;
    std::vector<std::size_t> open;  // those not seen converged since all were looked at
    Done done;
    TimerId timer = 0;
  };

  bool is_done(Waiter& waiter) const;
  void give_up(std::uint64_t id);

  Turns turns_;
  const IsConverged is_converged_;
  std::map<std::uint64_t, Waiter> waiters_;
  std::uint64_t last_id_ = 0;
};

}  // namespace fermata::control
