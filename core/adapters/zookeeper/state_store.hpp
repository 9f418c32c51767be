#pragma once

#include "adapters/zookeeper/session.hpp"
#include "adapters/zookeeper/watches.hpp"
#include "adapters/zookeeper/write_plan.hpp"
#include "ports/state_store.hpp"

#include <string>

namespace fermata::zookeeper {

/// The state tree below a path of the ensemble. A batch of writes is one multi.
class ZooKeeperStateStore final : public StateStore {
 public:
  /// @param chroot  "" or an absolute path. Session and watches outlive the store.
  ZooKeeperStateStore(std::string chroot, Session& session, Watches& watches)
      : chroot_(std::move(chroot)), session_(session), watches_(watches) {}

  Result<std::optional<StateEntry>> get(std::string_view path) override;
  Result<std::vector<StateEntry>> children(std::string_view path) override;
  /// Besides what the port says: kInvalidArgument for a batch that is larger than the 1 MiB that ZooKeeper takes at once.
  Result<std::vector<Version>> write(std::span<const StateWrite> writes) override;
  std::unique_ptr<Watch> watch(std::string_view path, WatchCallback callback) override;
  Health health() const override { return session_.health(); }

 private:
  struct Outcome;

  std::string full(std::string_view path) const;
  Result<Facts> facts_of(const std::set<std::string>& paths, SteadyTime deadline);
  Outcome outcome_of(std::span<const StateWrite> writes, const WritePlan& plan, const Answer& answer) const;

  const std::string chroot_;
  Session& session_;
  Watches& watches_;
};

}  // namespace fermata::zookeeper
