#include "control/cluster_view.hpp"

#include "base/percent.hpp"
#include "base/random.hpp"
#include "base/time_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kChunk = 256;
constexpr std::chrono::milliseconds kCoalesce{20};
constexpr std::chrono::milliseconds kRetry{1'000};

std::size_t chunk_count(const Service& service) { return (service.locations.size() + kChunk - 1) / kChunk; }

// Nodes mostly have the same configuration, and then the entry stands in the same chunk.
const ObservedEntry* find_entry(const std::map<std::size_t, std::shared_ptr<const ObservedChunk>>& chunks, std::size_t likely,
                                std::string_view location) {
  const auto in = [location](const ObservedChunk& chunk) -> const ObservedEntry* {
    const auto entry = chunk.locations.find(location);
    return entry == chunk.locations.end() ? nullptr : &entry->second;
  };
  if (const auto chunk = chunks.find(likely); chunk != chunks.end())
    if (const auto* entry = in(*chunk->second)) return entry;
  for (const auto& [number, chunk] : chunks)
    if (const auto* entry = in(*chunk)) return entry;
  return nullptr;
}

}  // namespace

ClusterView::ClusterView(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns,
                         ServiceTable& table, std::function<void()> on_change)
    : options_(options),
      dependencies_(dependencies),
      turns_(std::move(turns)),
      table_(table),
      on_change_(std::move(on_change)),
      nodes_path_(options.base_path + "/fermata/nodes"),
      started_at_(dependencies.clock.now()),
      instance_(random_hex(8)) {
  nodes_.push_back(self());
}

void ClusterView::start() {
  watch({});
  for (const auto& service : table_.all()) watch(service->spec.name);
}

void ClusterView::add(const Service& service) {
  watch(service.spec.name);
  announce();
  look(service.spec.name);
  if (!alone())
    for (std::size_t i = 0; i < service.locations.size(); i += kChunk) touch(service, i);
}

void ClusterView::remove(const Service& service) {
  const auto& name = service.spec.name;
  watches_.erase(name);
  read_.erase(name);
  for (auto* chunks : {&touched_, &outbox_}) std::erase_if(*chunks, [&](const ChunkId& id) { return id.first == name; });
  for (std::size_t i = 0; i < chunk_count(service); ++i)
    if (const auto path = chunk_path(name, i); written_.erase(path) > 0 && !erase(path)) break;
  announce();
  const std::lock_guard lock(mutex_);
  others_.erase(name);
}

void ClusterView::refresh() { read_nodes(); }

void ClusterView::withdraw() {
  watches_.clear();
  if (!usable()) return;
  // A successor may have begun before this process ended.
  const auto stored = dependencies_.store.get(own_path());
  if (!stored || is_namesake(*stored)) return;
  for (const auto& [path, digest] : written_)
    if (!erase(path)) return;
  erase(own_path());
}

// Failing is no trouble: it vanishes with the session.
bool ClusterView::erase(const std::string& path) {
  if (!usable()) return false;
  const auto erased = write_one(dependencies_.store, {StateWrite::Kind::kRemove, path});
  if (!erased) dependencies_.log.debug("control", "not withdrawn", {{"path", path}, {"error", erased.status().message()}});
  return erased || erased.status().code() == Code::kNotFound;
}

// Looking.

void ClusterView::watch(const std::string& service) {
  const std::string path = service.empty() ? nodes_path_ : observed_path(service);
  watches_[service] = dependencies_.store.watch(
      path, [this, turns = turns_, service]() mutable { turns.post([this, service] { look_after(kCoalesce, service); }); });
}

void ClusterView::look_after(std::chrono::milliseconds delay, const std::string& service) {
  if (!looking_.insert(service).second) return;
  turns_.post_after(delay, [this, service] { look(service); });
}

void ClusterView::look(const std::string& service) {
  looking_.erase(service);
  if (service.empty())
    read_nodes();
  else
    read_observed(service);
}

Result<std::vector<StateEntry>> ClusterView::list(const std::string& path) {
  if (Status lost = usable(); !lost) return lost;
  return dependencies_.store.children(path);
}

void ClusterView::read_nodes() {
  const auto children = list(nodes_path_);
  if (!went_well(children.status())) return look_after(kRetry, {});
  std::vector<NodeEntry> nodes;
  std::optional<StateEntry> own;
  for (const auto& child : *children) {
    if (child.path == own_path())
      own = child;
    else if (auto node = parse_node(child.data))
      nodes.push_back(std::move(*node));
  }
  check_presence(own);
  take_over(std::move(nodes));
}

// A predecessor that crashed may have left an entry; but what replaces ours is of a process that lives beside us.
void ClusterView::check_presence(const std::optional<StateEntry>& stored) {
  const bool namesake = is_namesake(stored);
  if (namesake && announced_) {
    const auto other = parse_node(stored->data).value_or(NodeEntry{});
    return set_conflict(fmt::format("another process is node '{}' too: it started at {} and answers at {}; give each its own node_id",
                                    options_.node_id, format_iso(other.view.started_at), other.view.address));
  }
  set_conflict({});
  if (stored && stored->data == format_node(self())) {
    announced_ = true;
    return;
  }
  if (!stored || namesake) written_.clear();  // our session ended and took our entries along, or there are none yet
  announce();
  touch_all();
}

bool ClusterView::is_namesake(const std::optional<StateEntry>& stored) const {
  if (!stored) return false;
  const auto node = parse_node(stored->data);
  return !node || node->instance != instance_;
}

void ClusterView::set_conflict(std::string conflict) {
  {
    const std::lock_guard lock(mutex_);
    if (conflict_ == conflict) return;
    conflict_ = conflict;
  }
  if (conflict.empty())
    dependencies_.log.info("control", "no other process has this node's name any more", {{"node", options_.node_id}});
  else
    dependencies_.log.error("control", conflict);
}

void ClusterView::take_over(std::vector<NodeEntry> nodes) {
  nodes.push_back(self());
  std::ranges::sort(nodes, {}, [](const auto& node) { return node.view.id; });
  const bool was_alone = alone();
  log_moves(nodes);
  {
    const std::lock_guard lock(mutex_);
    nodes_ = std::move(nodes);
  }
  if (was_alone && !alone()) {
    touch_all();
    publish_counts();
  }
  for (const auto& service : table_.all()) look_after(std::chrono::milliseconds(0), service->spec.name);
  on_change_();
}

void ClusterView::log_moves(const std::vector<NodeEntry>& nodes) const {
  const auto has = [](const std::vector<NodeEntry>& among, const std::string& id) {
    return std::ranges::find(among, id, [](const auto& node) { return node.view.id; }) != among.end();
  };
  for (const auto& node : nodes)
    if (!has(nodes_, node.view.id))
      dependencies_.log.info("control", "a node has joined", {{"node", node.view.id}, {"address", node.view.address}});
  for (const auto& node : nodes_)
    if (!has(nodes, node.view.id)) dependencies_.log.warn("control", "a node is gone", {{"node", node.view.id}});
}

void ClusterView::read_observed(const std::string& service) {
  if (alone()) {
    read_.erase(service);
    const std::lock_guard lock(mutex_);
    others_.erase(service);
    return;
  }
  const auto found = table_.find(service);
  if (found == nullptr) return;
  const auto children = list(observed_path(service));
  if (!went_well(children.status())) return look_after(kRetry, service);
  auto& known = read_[service];
  std::map<std::string, Seen> now;
  std::map<NodeInstance, Chunks> by_node;
  std::set<std::string> own;
  for (const auto& child : *children) {
    const auto before = known.find(child.path);
    Seen seen{std::hash<std::string>{}(child.data), nullptr};
    if (const auto written = written_.find(child.path); written != written_.end() && written->second == seen.digest) own.insert(child.path);
    if (before != known.end() && before->second.digest == seen.digest)
      seen.chunk = before->second.chunk;
    else if (auto chunk = parse_chunk(child.data))
      seen.chunk = std::make_shared<const ObservedChunk>(std::move(*chunk));
    if (seen.chunk == nullptr || seen.chunk->node == options_.node_id) continue;
    auto& chunks = by_node[{seen.chunk->node, seen.chunk->instance}];
    chunks.emplace(chunks.size(), seen.chunk);
    now.emplace(child.path, std::move(seen));
  }
  known = std::move(now);
  {
    const std::lock_guard lock(mutex_);
    others_[service] = std::move(by_node);
  }
  check_own(*found, own);
  on_change_();
}

// What we wrote in a session that ended is gone, even if we are still presented.
void ClusterView::check_own(const Service& service, const std::set<std::string>& seen) {
  for (std::size_t i = 0; i < chunk_count(service); ++i) {
    const auto path = chunk_path(service.spec.name, i);
    if (!seen.contains(path) && written_.erase(path) > 0) touch(service, i * kChunk);
  }
}

// Telling.

NodeEntry ClusterView::self() const {
  NodeEntry entry{{options_.node_id, options_.node_address, options_.node_version, started_at_, true}, {}, instance_};
  for (const auto& service : table_.all()) entry.services.push_back(service->spec.name);
  return entry;
}

void ClusterView::announce() {
  if (!conflict().empty()) return;
  Status announced = usable();
  if (announced) announced = write_one(dependencies_.store, {StateWrite::Kind::kEphemeral, own_path(), format_node(self())}).status();
  announced_ = went_well(announced) || announced_;
}

void ClusterView::touch(const Service& service, std::size_t location) {
  if (alone()) return;
  touched_.emplace(service.spec.name, location / kChunk);
  publish_soon();
}

void ClusterView::touch_all() {
  if (alone()) return;
  for (const auto& service : table_.all())
    for (std::size_t i = 0; i < chunk_count(*service); ++i) touched_.emplace(service->spec.name, i);
  publish_soon();
}

void ClusterView::publish_soon() {
  if (std::exchange(publishing_, true)) return;
  turns_.post_after(kCoalesce, [this] {
    outbox_.swap(touched_);
    publish();
  });
}

void ClusterView::publish() {
  if (!outbox_.empty()) {
    const auto [name, chunk] = *outbox_.begin();
    const auto service = table_.find(name);
    if (service != nullptr && write_chunk(*service, chunk).code() == Code::kUnavailable) return publish_later();
    outbox_.erase(outbox_.begin());
    return turns_.post([this] { publish(); });
  }
  publishing_ = false;
  if (!touched_.empty()) publish_soon();
}

// What cannot be written now is written with the next counts.
void ClusterView::publish_later() {
  touched_.merge(outbox_);
  outbox_.clear();
  publishing_ = false;
}

void ClusterView::publish_counts() {
  if (counts_timer_ != 0) return;
  counts_timer_ = turns_.post_after(options_.observation_interval, [this] {
    counts_timer_ = 0;
    if (alone()) return;
    touch_all();
    publish_counts();
  });
}

Status ClusterView::write_chunk(const Service& service, std::size_t chunk) {
  if (!conflict().empty()) return Status::ok();
  if (Status lost = usable(); !lost) {
    went_well(lost);
    return lost;
  }
  ObservedChunk said{options_.node_id, instance_, chunk_count(service), {}};
  const std::size_t end = std::min(service.locations.size(), (chunk + 1) * kChunk);
  for (std::size_t i = chunk * kChunk; i < end; ++i)
    said.locations.emplace(service.spec.locations[i].name, ObservedEntry{service.locations[i].version, table_.observe(service, i)});
  const std::string data = format_chunk(said);
  const std::size_t digest = std::hash<std::string>{}(data);
  const std::string path = chunk_path(service.spec.name, chunk);
  if (const auto before = written_.find(path); before != written_.end() && before->second == digest) return Status::ok();
  Status written = write_one(dependencies_.store, {StateWrite::Kind::kEphemeral, path, data}).status();
  if (went_well(written)) written_[path] = digest;
  return written;
}

// Answering.

std::vector<NodeView> ClusterView::nodes() const {
  const std::lock_guard lock(mutex_);
  std::vector<NodeView> views;
  for (const auto& node : nodes_) views.push_back(node.view);
  return views;
}

std::string ClusterView::conflict() const {
  const std::lock_guard lock(mutex_);
  return conflict_;
}

std::vector<NodeVote> ClusterView::votes(const Service& service, std::size_t location, Version version, LocationObservation own) const {
  const auto& name = service.spec.name;
  std::vector<NodeVote> votes;
  const std::lock_guard lock(mutex_);
  const auto others = others_.find(name);
  for (const auto& node : nodes_) {
    if (node.view.self) {
      votes.push_back({node.view.id, std::move(own), true});
      continue;
    }
    if (std::ranges::find(node.services, name) == node.services.end()) continue;
    const Chunks* chunks = nullptr;
    if (others != others_.end())
      if (const auto said = others->second.find({node.view.id, node.instance}); said != others->second.end()) chunks = &said->second;
    const auto* entry = chunks != nullptr ? find_entry(*chunks, location / kChunk, service.spec.locations[location].name) : nullptr;
    if (entry != nullptr)
      votes.push_back({node.view.id, entry->observation, entry->heard == version});
    else if (chunks == nullptr || chunks->size() < chunks->begin()->second->chunks)
      votes.push_back({node.view.id, {.message = "has not reported yet"}, false});
  }
  return votes;
}

bool ClusterView::alone() const {
  const std::lock_guard lock(mutex_);
  return nodes_.size() < 2;
}

Status ClusterView::usable() const {
  const Health health = dependencies_.store.health();
  return health.ok ? Status::ok() : Status(Code::kUnavailable, health.reason);
}

bool ClusterView::went_well(const Status& status) {
  if (in_trouble_ == status.is_ok()) {
    in_trouble_ = !status.is_ok();
    if (in_trouble_)
      dependencies_.log.warn("control", "this node's state cannot be shown to the others, nor theirs be seen",
                             {{"error", status.message()}});
    else
      dependencies_.log.info("control", "nodes see each other's state again");
  }
  return status.is_ok();
}

std::string ClusterView::own_path() const { return nodes_path_ + "/" + percent_encode(options_.node_id); }

std::string ClusterView::observed_path(std::string_view service) const {
  return fmt::format("{}/fermata/observed/{}", options_.base_path, service);
}

std::string ClusterView::chunk_path(std::string_view service, std::size_t chunk) const {
  return fmt::format("{}/{}.{:04}", observed_path(service), percent_encode(options_.node_id), chunk);
}

}  // namespace fermata::control
