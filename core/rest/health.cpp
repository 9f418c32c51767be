#include "rest/health.hpp"

#include "rest/json_writer.hpp"

#include <algorithm>
#include <vector>

namespace fermata::rest {
namespace {

using Partition = TopicInfo::Partition;

void write_ids(JsonWriter& json, std::string_view name, const std::vector<std::int32_t>& ids) {
  json.key(name).begin_array();
  for (const auto id : ids) json.value(id);
  json.end_array();
}

void write_topic(JsonWriter& json, const TopicInfo& topic, bool embedded) {
  json.key(topic.name).begin_object().member("name", topic.name).key("partitions").begin_array();
  for (Partition partition : topic.partitions) {
    if (embedded) partition = {partition.id, 0, {0}, {0}};  // this node is the only broker there is
    json.begin_object().member("id", partition.id).member("leader", partition.leader);
    write_ids(json, "replicas", partition.replicas);
    write_ids(json, "isrs", partition.in_sync);
    json.end_object();
  }
  json.end_array().end_object();
}

bool in_sync(const TopicInfo& topic) {
  return std::ranges::all_of(topic.partitions, [](const Partition& one) { return one.in_sync.size() >= one.replicas.size(); });
}

void write_zookeeper(JsonWriter& json, const Health& store) {
  json.key("zookeeper").begin_object().member("status", store.ok ? "ok" : "error");
  json.key("details").begin_object().member("name", store.ok ? "SYNC_CONNECTED" : "DISCONNECTED").member("code", store.ok ? 3 : 0);
  if (!store.ok) json.member("reason", store.reason);
  json.end_object().end_object();
}

void write_producer(JsonWriter& json, const Health& queue) {
  json.key("kafkaProducer").begin_object().member("status", queue.ok ? "ok" : "error");
  if (!queue.ok) json.member("reason", queue.reason);
  json.end_object();
}

}  // namespace

std::string health_json(const ApiDependencies& dependencies) {
  const auto topics = dependencies.queue.topics();
  const bool synced = topics && (dependencies.embedded || std::ranges::all_of(*topics, in_sync));
  JsonWriter json;
  json.begin_object().key("topics").begin_object();
  if (topics)
    for (const auto& topic : *topics) write_topic(json, topic, dependencies.embedded);
  json.end_object();
  json.key("internalConnections").begin_object().member("isrHealth", synced ? "ok" : "error");
  write_zookeeper(json, dependencies.store.health());
  write_producer(json, dependencies.queue.health());
  return json.end_object().end_object().take();
}

}  // namespace fermata::rest
