#pragma once

#include "base/callback_guard.hpp"
#include "base/executor.hpp"
#include "ports/leases.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace fermata::embedded {

/// Leases among the campaigns of this one process: the oldest campaign of a name holds it.
class InProcessLeases final : public Leases {
 public:
  /// @param dispatcher  one thread; outlives the leases.
  /// @param incarnation  grows with each start, so that fencing tokens grow over restarts without a write per grant.
  InProcessLeases(Executor& dispatcher, std::string node_id, std::uint64_t incarnation)
      : dispatcher_(dispatcher), node_id_(std::move(node_id)), last_token_(incarnation << 32) {}

  std::unique_ptr<Campaign> campaign(std::string_view name, Events events) override;
  Result<std::string> holder(std::string_view name) override;

 private:
  struct Candidate;
  class CampaignHandle;

  void grant(const std::shared_ptr<Candidate>& candidate);
  void give_up(const std::shared_ptr<Candidate>& candidate);

  Executor& dispatcher_;
  const std::string node_id_;
  std::mutex mutex_;  // guards all below
  std::uint64_t last_token_;
  std::map<std::string, std::list<std::shared_ptr<Candidate>>, std::less<>> candidates_;  ///< the first one holds
};

}  // namespace fermata::embedded
