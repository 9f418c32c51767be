#include "adapters/zookeeper/leases.hpp"

#include "adapters/zookeeper/errors.hpp"
#include "adapters/zookeeper/paths.hpp"
#include "base/percent.hpp"
#include "base/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace fermata::zookeeper {
namespace {

using namespace std::chrono_literals;
using Kind = Request::Kind;

constexpr auto kRetryAfterError = 5s;
constexpr std::size_t kDigits = 10;  // of the number that ZooKeeper appends
constexpr int kMaxHolderReads = 10;

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// The number at the end of an entry's name, which grows.
std::optional<std::uint32_t> number_of(std::string_view name) {
  if (name.size() <= kDigits) return std::nullopt;
  const auto digits = name.substr(name.size() - kDigits);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

/// The name before `number`, of those with the next smaller one; empty if there is none.
std::string_view before(const std::vector<std::string>& names, std::uint32_t number) {
  std::string_view best;
  std::uint32_t best_number = 0;
  for (const auto& name : names) {
    const auto candidate = number_of(name);
    if (!candidate || *candidate >= number || (!best.empty() && *candidate < best_number)) continue;
    best = name;
    best_number = *candidate;
  }
  return best;
}

}  // namespace

struct ZooKeeperLeases::Candidate {
  std::string name;
  std::string directory;
  std::string id;  // of the campaign; begins the names of its entries, so that one whose making was not answered is known
  Events events;
  CallbackGuard guard;
  // All below is used by the dispatcher.
  Stage stage = Stage::kIdle;
  std::uint64_t attempt = 0;  // answers to earlier ones are of no use
  std::string entry = {};     // our path, while waiting and holding
  std::uint64_t made_by = 0;  // the transaction that made it; 0: not known yet
  std::string predecessor = {};
};

class ZooKeeperLeases::Handle final : public Campaign {
 public:
  Handle(ZooKeeperLeases& leases, CandidatePtr candidate) : leases_(leases), candidate_(std::move(candidate)) {}
  ~Handle() override {
    candidate_->guard.close();
    leases_.dispatcher_.post([&leases = leases_, candidate = candidate_] { leases.end(candidate); });
  }

 private:
  ZooKeeperLeases& leases_;
  CandidatePtr candidate_;
};

std::string ZooKeeperLeases::directory_of(std::string_view name) const { return fmt::format("{}/{}", base_, percent_encode(name)); }

std::unique_ptr<Leases::Campaign> ZooKeeperLeases::campaign(std::string_view name, Events events) {
  auto candidate = std::make_shared<Candidate>();
  candidate->name = name;
  candidate->directory = directory_of(name);
  candidate->id = random_hex(16);
  candidate->events = std::move(events);
  dispatcher_.post([this, candidate] {
    candidates_.push_back(candidate);
    if (active_) enter(candidate);
  });
  return std::make_unique<Handle>(*this, std::move(candidate));
}

Result<std::string> ZooKeeperLeases::holder(std::string_view name) {
  const auto deadline = session_.deadline();
  const std::string directory = directory_of(name);
  for (int i = 0; i < kMaxHolderReads; ++i) {
    const auto list = session_.read_one({.kind = Kind::kChildren, .path = directory}, deadline);
    if (!list) return list.status();
    if (list->code != ZOK && list->code != ZNONODE) return to_status(list->code, directory);
    const auto first = std::ranges::min_element(list->names, {}, [](const auto& entry) { return number_of(entry).value_or(UINT32_MAX); });
    if (first == list->names.end()) return std::string();
    auto entry = session_.read_one({.kind = Kind::kGet, .path = directory + "/" + *first}, deadline);
    if (!entry) return entry.status();
    if (entry->code == ZOK) return std::move(entry->text);
    if (entry->code != ZNONODE) return to_status(entry->code, directory);
  }
  return Status(Code::kUnavailable, fmt::format("the lease {} changes hands too fast to tell its holder: try again", name));
}

// The session's life.

void ZooKeeperLeases::connected(bool new_session) {
  active_ = true;
  for (const auto& candidate : candidates_) {
    if (new_session || candidate->stage == Stage::kIdle) {
      enter(candidate);
    } else if (!candidate->entry.empty()) {
      // A question about it may have been lost.
      watch_own(candidate);
      if (candidate->stage == Stage::kWaiting) look(candidate);
    }
  }
  std::vector<std::string> ids;
  for (const auto& [id, remains] : remains_) ids.push_back(id);
  for (const auto& id : ids) clean(id);
}

void ZooKeeperLeases::ended() {
  active_ = false;
  remains_.clear();
  for (const auto& candidate : candidates_) lose(candidate, "the session has ended");
}

void ZooKeeperLeases::changed(int type, const std::string& path) {
  if (!active_) return;
  for (const auto& candidate : candidates_) {
    if (path == candidate->predecessor) {
      candidate->predecessor.clear();
      look(candidate);
    } else if (path == candidate->entry) {
      if (type != ZOO_DELETED_EVENT) {
        watch_own(candidate);
        continue;
      }
      lose(candidate, "somebody removed its entry");
      enter(candidate);
    }
  }
}

// Standing for a lease.

void ZooKeeperLeases::ask(const CandidatePtr& candidate, const Request& request, Handler handler) {
  const auto now = clock_.steady();
  session_.ask(request, [this, candidate, handler, now, attempt = candidate->attempt](Answer answer) {
    dispatcher_.post([this, candidate, handler, now, attempt, answer = std::move(answer)] {
      if (candidate->attempt == attempt) (this->*handler)(candidate, answer, now);
    });
  });
}

void ZooKeeperLeases::enter(const CandidatePtr& candidate) {
  ++candidate->attempt;
  candidate->stage = Stage::kEntering;
  candidate->entry.clear();
  candidate->predecessor.clear();
  candidate->made_by = 0;
  ask(candidate, {.kind = Kind::kCreateSequence, .path = fmt::format("{}/{}-", candidate->directory, candidate->id), .data = node_id_},
      &ZooKeeperLeases::entered);
}

void ZooKeeperLeases::entered(const CandidatePtr& candidate, const Answer& answer, SteadyTime) {
  if (answer.code == ZNONODE) return make_directory(candidate);
  if (answer.code != ZOK) return enter_later(candidate, answer);
  candidate->entry = answer.text;
  candidate->stage = Stage::kWaiting;
  watch_own(candidate);
  look(candidate);
}

// The requests of a session are carried out in order, so the answer to the last one tells.
void ZooKeeperLeases::make_directory(const CandidatePtr& candidate) {
  const auto& directory = candidate->directory;
  for (auto end = directory.find('/', 1); end != std::string::npos; end = directory.find('/', end + 1))
    session_.ask({.kind = Kind::kMulti, .operations = {{.path = directory.substr(0, end)}}}, [](const Answer&) {});
  ask(candidate, {.kind = Kind::kMulti, .operations = {{.path = directory}}}, &ZooKeeperLeases::directory_made);
}

void ZooKeeperLeases::directory_made(const CandidatePtr& candidate, const Answer& answer, SteadyTime) {
  if (answer.code == ZOK || answer.code == ZNODEEXISTS) return enter(candidate);
  enter_later(candidate, answer);
}

// A lost answer is tried again with the next connection, a refusal after a while.
void ZooKeeperLeases::enter_later(const CandidatePtr& candidate, const Answer& answer) {
  candidate->stage = Stage::kIdle;
  if (is_lost(answer.code)) return;
  log_.error("zookeeper", "cannot stand for a lease, trying again",
             {{"lease", candidate->name}, {"error", to_status(answer.code, candidate->directory).message()}});
  dispatcher_.post_after(kRetryAfterError, [this, candidate, attempt = candidate->attempt] {
    if (candidate->attempt == attempt && candidate->stage == Stage::kIdle) enter(candidate);
  });
}

void ZooKeeperLeases::watch_own(const CandidatePtr& candidate) {
  ask(candidate, {.kind = Kind::kExists, .path = candidate->entry, .watch = true}, &ZooKeeperLeases::own_watched);
}

void ZooKeeperLeases::own_watched(const CandidatePtr& candidate, const Answer& answer, SteadyTime) {
  if (answer.code == ZOK) {
    candidate->made_by = static_cast<std::uint64_t>(answer.stat.czxid);
  } else if (answer.code == ZNONODE) {
    lose(candidate, "somebody removed its entry");
    enter(candidate);
  }
}

void ZooKeeperLeases::look(const CandidatePtr& candidate) {
  ask(candidate, {.kind = Kind::kChildren, .path = candidate->directory}, &ZooKeeperLeases::looked);
}

void ZooKeeperLeases::looked(const CandidatePtr& candidate, const Answer& answer, SteadyTime asked_at) {
  if (candidate->stage != Stage::kWaiting || is_lost(answer.code)) return;
  if (answer.code != ZOK) return enter_later(candidate, answer);
  // Entries of ours that we do not stand with: of a lease that was lost, or made without an answer.
  const auto own = name_of(candidate->entry);
  for (const auto& name : answer.names)
    if (name.starts_with(candidate->id) && name != own)
      session_.ask({.kind = Kind::kRemove, .path = candidate->directory + "/" + name}, [](const Answer&) {});
  if (std::ranges::find(answer.names, own) == answer.names.end()) return;  // somebody removed it; its watch tells
  const auto predecessor = before(answer.names, number_of(own).value_or(UINT32_MAX));
  if (predecessor.empty()) return grant(candidate, asked_at);
  candidate->predecessor = fmt::format("{}/{}", candidate->directory, predecessor);
  ask(candidate, {.kind = Kind::kExists, .path = candidate->predecessor, .watch = true}, &ZooKeeperLeases::predecessor_watched);
}

void ZooKeeperLeases::predecessor_watched(const CandidatePtr& candidate, const Answer& answer, SteadyTime) {
  if (answer.code == ZNONODE) look(candidate);
}

void ZooKeeperLeases::grant(const CandidatePtr& candidate, SteadyTime proof) {
  if (candidate->made_by == 0) return;  // its entry is gone; that is dealt with elsewhere
  if (clock_.steady() - proof > patience()) return look(candidate);
  proof_ = std::max(proof_, proof);
  candidate->stage = Stage::kHolding;
  candidate->predecessor.clear();
  log_.info("zookeeper", "lease granted", {{"lease", candidate->name}, {"token", std::to_string(candidate->made_by)}});
  candidate->guard.run([&] { candidate->events.on_granted(candidate->made_by); });
}

void ZooKeeperLeases::lose(const CandidatePtr& candidate, std::string_view reason) {
  ++candidate->attempt;
  candidate->entry.clear();
  candidate->predecessor.clear();
  if (std::exchange(candidate->stage, Stage::kIdle) != Stage::kHolding) return;
  log_.warn("zookeeper", "lease lost", {{"lease", candidate->name}, {"reason", reason}});
  candidate->guard.run([&] { candidate->events.on_lost(); });
}

// Leaving.

void ZooKeeperLeases::end(const CandidatePtr& candidate) {
  std::erase(candidates_, candidate);
  ++candidate->attempt;
  candidate->stage = Stage::kIdle;
  if (!active_) return;
  remains_[candidate->id] = {candidate->directory, candidate->entry};
  clean(candidate->id);
}

// Until a list shows that nothing of the campaign is there: an entry that stays would keep the lease as long as the session
// lives. The sync is for what was asked through an earlier connection.
void ZooKeeperLeases::clean(const std::string& campaign_id) {
  const auto& [directory, entry] = remains_.at(campaign_id);
  if (!entry.empty()) session_.ask({.kind = Kind::kRemove, .path = entry}, [](const Answer&) {});
  session_.ask({.kind = Kind::kSync, .path = directory}, [](const Answer&) {});
  session_.ask({.kind = Kind::kChildren, .path = directory}, [this, campaign_id](Answer answer) {
    dispatcher_.post([this, campaign_id, answer = std::move(answer)] {
      const auto remains = remains_.find(campaign_id);
      if (remains == remains_.end() || is_lost(answer.code)) return;
      const auto left = std::ranges::find_if(answer.names, [&](const auto& name) { return name.starts_with(campaign_id); });
      if (left == answer.names.end()) {
        remains_.erase(remains);
        return;
      }
      remains->second.entry = remains->second.directory + "/" + *left;
      clean(campaign_id);
    });
  });
}

// Watching over the session.

SteadyTime::duration ZooKeeperLeases::patience() const { return session_.timeout() * 2 / 3; }

void ZooKeeperLeases::tick() {
  const auto is_holding = [](const auto& candidate) { return candidate->stage == Stage::kHolding; };
  if (std::ranges::any_of(candidates_, is_holding)) {
    if (clock_.steady() - proof_ > patience()) {
      for (const auto& candidate : candidates_) {
        if (!is_holding(candidate)) continue;
        lose(candidate, "ZooKeeper does not answer");
        enter(candidate);
      }
    } else {
      prove();
    }
  }
  dispatcher_.post_after(session_.timeout() / 10, [this] { tick(); });
}

void ZooKeeperLeases::prove() {
  if (std::exchange(proving_, true)) return;
  session_.ask({.kind = Kind::kExists, .path = "/"}, [this, now = clock_.steady()](const Answer& answer) {
    dispatcher_.post([this, now, lost = is_lost(answer.code)] {
      proving_ = false;
      if (!lost) proof_ = std::max(proof_, now);
    });
  });
}

}  // namespace fermata::zookeeper
