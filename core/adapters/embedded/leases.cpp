#include "adapters/embedded/leases.hpp"

#include <utility>

namespace fermata::embedded {

struct InProcessLeases::Candidate {
  std::string name;
  Events events;
  CallbackGuard guard;
};

class InProcessLeases::CampaignHandle final : public Campaign {
 public:
  CampaignHandle(InProcessLeases& leases, std::shared_ptr<Candidate> candidate) : leases_(leases), candidate_(std::move(candidate)) {}
  ~CampaignHandle() override {
    candidate_->guard.close();
    leases_.give_up(candidate_);
  }

 private:
  InProcessLeases& leases_;
  std::shared_ptr<Candidate> candidate_;
};

std::unique_ptr<Leases::Campaign> InProcessLeases::campaign(std::string_view name, Events events) {
  auto candidate = std::make_shared<Candidate>();
  candidate->name = name;
  candidate->events = std::move(events);
  const std::lock_guard lock(mutex_);
  auto& line = candidates_[candidate->name];
  line.push_back(candidate);
  if (line.size() == 1) grant(candidate);
  return std::make_unique<CampaignHandle>(*this, std::move(candidate));
}

void InProcessLeases::grant(const std::shared_ptr<Candidate>& candidate) {
  dispatcher_.post([candidate, token = ++last_token_] { candidate->guard.run([&] { candidate->events.on_granted(token); }); });
}

void InProcessLeases::give_up(const std::shared_ptr<Candidate>& candidate) {
  const std::lock_guard lock(mutex_);
  const auto line = candidates_.find(candidate->name);
  const bool held = line->second.front() == candidate;
  line->second.remove(candidate);
  if (line->second.empty())
    candidates_.erase(line);
  else if (held)
    grant(line->second.front());
}

Result<std::string> InProcessLeases::holder(std::string_view name) {
  const std::lock_guard lock(mutex_);
  return candidates_.contains(name) ? node_id_ : std::string();
}

}  // namespace fermata::embedded
