#include "control/cluster_view.hpp"

#include "base/percent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kChunk = 256;
constexpr std::chrono::milliseconds kCoalesce{20};

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
      started_at_(dependencies.clock.now()) {
  nodes_.push_back(self());
}

void ClusterView::start() {
  watch({});
  for (const auto& service : table_.all()) watch(service->spec.name);
  announce();
  read_nodes();
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
  std::erase_if(touched_, [&](const ChunkId& id) { return id.first == name; });
  for (std::size_t i = 0; i < chunk_count(service); ++i)
    if (const auto path = chunk_path(name, i); written_.erase(path) > 0) erase(path);
  announce();
  const std::lock_guard lock(mutex_);
  others_.erase(name);
}

void ClusterView::refresh() { read_nodes(); }

void ClusterView::withdraw() {
  watches_.clear();
  for (const auto& [path, digest] : written_) erase(path);
  erase(nodes_path_ + "/" + percent_encode(options_.node_id));
}

// Failing is no trouble: it vanishes with the session.
void ClusterView::erase(const std::string& path) {
  if (!dependencies_.store.health().ok) return;
  const auto erased = write_one(dependencies_.store, {StateWrite::Kind::kRemove, path});
  if (!erased) dependencies_.log.debug("control", "not withdrawn", {{"path", path}, {"error", erased.status().message()}});
}

// Looking.

void ClusterView::watch(const std::string& service) {
  const std::string path = service.empty() ? nodes_path_ : observed_path(service);
  watches_[service] =
      dependencies_.store.watch(path, [this, turns = turns_, service]() mutable { turns.post([this, service] { look_soon(service); }); });
}

void ClusterView::look_soon(const std::string& service) {
  if (!looking_.insert(service).second) return;
  turns_.post_after(kCoalesce, [this, service] { look(service); });
}

void ClusterView::look(const std::string& service) {
  looking_.erase(service);
  if (service.empty())
    read_nodes();
  else
    read_observed(service);
}

void ClusterView::read_nodes() {
  const auto children = dependencies_.store.children(nodes_path_);
  if (!went_well(children.status())) return;
  std::vector<NodeEntry> nodes;
  bool missing = true;
  for (const auto& child : *children) {
    auto node = parse_node(child.data);
    if (!node) continue;
    if (node->view.id == options_.node_id)
      missing = false;
    else
      nodes.push_back(std::move(*node));
  }
  // Our session ended and took our entries along.
  if (missing) {
    written_.clear();
    announce();
    touch_all();
  }
  take_over(std::move(nodes));
}

void ClusterView::take_over(std::vector<NodeEntry> nodes) {
  nodes.push_back(self());
  std::ranges::sort(nodes, {}, [](const auto& node) { return node.view.id; });
  const bool was_alone = alone();
  {
    const std::lock_guard lock(mutex_);
    nodes_ = std::move(nodes);
  }
  if (was_alone && !alone()) {
    touch_all();
    publish_counts();
  }
  for (const auto& service : table_.all()) read_observed(service->spec.name);
  on_change_();
}

void ClusterView::read_observed(const std::string& service) {
  if (alone()) {
    read_.erase(service);
    const std::lock_guard lock(mutex_);
    others_.erase(service);
    return;
  }
  const auto children = dependencies_.store.children(observed_path(service));
  if (!went_well(children.status())) return;
  auto& known = read_[service];
  std::map<std::string, Seen> now;
  std::map<std::string, Chunks> by_node;
  for (const auto& child : *children) {
    const auto before = known.find(child.path);
    Seen seen{std::hash<std::string>{}(child.data), nullptr};
    if (before != known.end() && before->second.digest == seen.digest)
      seen.chunk = before->second.chunk;
    else if (auto chunk = parse_chunk(child.data))
      seen.chunk = std::make_shared<const ObservedChunk>(std::move(*chunk));
    if (seen.chunk == nullptr || seen.chunk->node == options_.node_id) continue;
    auto& chunks = by_node[seen.chunk->node];
    chunks.emplace(chunks.size(), seen.chunk);
    now.emplace(child.path, std::move(seen));
  }
  known = std::move(now);
  {
    const std::lock_guard lock(mutex_);
    others_[service] = std::move(by_node);
  }
  on_change_();
}

// Telling.

NodeEntry ClusterView::self() const {
  NodeEntry entry{{options_.node_id, options_.node_address, options_.node_version, started_at_, true}, {}};
  for (const auto& service : table_.all()) entry.services.push_back(service->spec.name);
  return entry;
}

void ClusterView::announce() {
  went_well(write_one(dependencies_.store,
                      {StateWrite::Kind::kEphemeral, nodes_path_ + "/" + percent_encode(options_.node_id), format_node(self())})
                .status());
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
  if (publish_timer_ != 0) return;
  publish_timer_ = turns_.post_after(kCoalesce, [this] {
    publish_timer_ = 0;
    publish();
  });
}

// What cannot be written now is written with the next counts.
void ClusterView::publish() {
  while (!touched_.empty()) {
    const auto [name, chunk] = *touched_.begin();
    const auto service = table_.find(name);
    if (service != nullptr && write_chunk(*service, chunk).code() == Code::kUnavailable) return;
    touched_.erase(touched_.begin());
  }
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
  ObservedChunk said{options_.node_id, chunk_count(service), {}};
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
      if (const auto said = others->second.find(node.view.id); said != others->second.end()) chunks = &said->second;
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

std::string ClusterView::observed_path(std::string_view service) const {
  return fmt::format("{}/fermata/observed/{}", options_.base_path, service);
}

std::string ClusterView::chunk_path(std::string_view service, std::size_t chunk) const {
  return fmt::format("{}/{}.{:04}", observed_path(service), percent_encode(options_.node_id), chunk);
}

}  // namespace fermata::control
