#pragma once

#include "adapters/zookeeper/session.hpp"
#include "base/callback_guard.hpp"
#include "base/clock.hpp"
#include "base/executor.hpp"
#include "ports/leases.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::zookeeper {

/// Leases as queues of ephemeral sequential entries <base>/<lease>/<campaign>-<number>: the first one's campaign holds the
/// lease, each other one watches the one before it. The fencing token is the transaction that made the entry.
///
/// A holder proves that the session lives by a small request ten times a session timeout, and gives up when none was
/// answered for two thirds of it: before the ensemble can end the session and another node can be granted the lease.
///
/// Threads: campaign and holder [any]; all else, and the callbacks, on the dispatcher.
class ZooKeeperLeases final : public Leases, public SessionObserver {
 public:
  /// @param base  an absolute path of the ensemble, made as needed. @param dispatcher  one thread.
  ZooKeeperLeases(std::string base, std::string node_id, Session& session, Executor& dispatcher, const Clock& clock, telemetry::Log& log)
      : base_(std::move(base)), node_id_(std::move(node_id)), session_(session), dispatcher_(dispatcher), clock_(clock), log_(log) {}

  /// Begins to watch over the session. Called once.
  void start() { tick(); }

  /// The leases outlive the campaign.
  std::unique_ptr<Campaign> campaign(std::string_view name, Events events) override;
  Result<std::string> holder(std::string_view name) override;

  void connected(bool new_session) override;
  void ended() override;
  void changed(int type, const std::string& path) override;

 private:
  enum class Stage { kIdle, kEntering, kWaiting, kHolding };
  struct Candidate;
  class Handle;
  using CandidatePtr = std::shared_ptr<Candidate>;
  using Handler = void (ZooKeeperLeases::*)(const CandidatePtr&, const Answer&, SteadyTime asked_at);
  /// What a campaign that has ended may have left.
  struct Remains {
    std::string directory;
    std::string entry;  ///< empty: not known
  };

  std::string directory_of(std::string_view name) const;
  void ask(const CandidatePtr& candidate, const Request& request, Handler handler);

  void enter(const CandidatePtr& candidate);
  void entered(const CandidatePtr& candidate, const Answer& answer, SteadyTime asked_at);
  void make_directory(const CandidatePtr& candidate);
  void directory_made(const CandidatePtr& candidate, const Answer& answer, SteadyTime asked_at);
  void enter_later(const CandidatePtr& candidate, const Answer& answer);
  void watch_own(const CandidatePtr& candidate);
  void own_watched(const CandidatePtr& candidate, const Answer& answer, SteadyTime asked_at);
  void look(const CandidatePtr& candidate);
  void looked(const CandidatePtr& candidate, const Answer& answer, SteadyTime asked_at);
  void predecessor_watched(const CandidatePtr& candidate, const Answer& answer, SteadyTime asked_at);
  void grant(const CandidatePtr& candidate, SteadyTime proof);
  void lose(const CandidatePtr& candidate, std::string_view reason);

  void end(const CandidatePtr& candidate);
  void clean(const std::string& campaign_id);
  void tick();
  void prove();
  SteadyTime::duration patience() const;

  const std::string base_;
  const std::string node_id_;
  Session& session_;
  Executor& dispatcher_;
  const Clock& clock_;
  telemetry::Log& log_;
  bool active_ = false;  // there is a session
  std::vector<CandidatePtr> candidates_;
  std::map<std::string, Remains> remains_;  // by the campaign's id
  SteadyTime proof_;                        // when we asked what was answered last: then the session lived
  bool proving_ = false;                    // such a question is on its way
};

}  // namespace fermata::zookeeper
