#include "app/application.hpp"

#include "adapters/embedded/data_dir_lock.hpp"
#include "adapters/embedded/embedded.hpp"
#include "adapters/kafka/kafka.hpp"
#include "adapters/redis/redis.hpp"
#include "adapters/zookeeper/zookeeper.hpp"
#include "app/service_names.hpp"
#include "app/version.hpp"
#include "base/time_format.hpp"
#include "plugin/manifest.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <future>
#include <optional>
#include <thread>
#include <utility>

namespace fermata::app {
namespace {

telemetry::Log::Options log_options(const config::LogConfig& config) {
  telemetry::Log::Options options;
  options.json = config.json;
  options.file = config.file;
  options.level = config.level == "debug"   ? telemetry::Level::kDebug
                  : config.level == "warn"  ? telemetry::Level::kWarn
                  : config.level == "error" ? telemetry::Level::kError
                                            : telemetry::Level::kInfo;
  return options;
}

embedded::Backend::Options embedded_options(const config::Config& config) {
  embedded::Backend::Options options;
  options.data_dir = config.data_dir;
  options.node_id = config.node_id;
  options.partitions = config.queue.partitions;
  options.retention = config.queue.retention;
  options.producer_buffer_bytes = config.queue.producer_buffer_bytes;
  return options;
}

zookeeper::Backend::Options zookeeper_options(const config::Config& config) {
  return {.servers = config.zookeeper.servers,
          .chroot = config.zookeeper.chroot,
          .leases_path = config.cluster.base_path + "/fermata/leases",
          .node_id = config.node_id,
          .session_timeout = config.zookeeper.session_timeout,
          .operation_timeout = config.zookeeper.operation_timeout,
          .user = config.zookeeper.user,
          .password = config.zookeeper.password,
          .only_creator = config.zookeeper.only_creator};
}

redis::Backend::Options redis_options(const config::Config& config) {
  return {.servers = config.redis.servers,
          .sentinel_master = config.redis.sentinel_master,
          .sentinel_user = config.redis.sentinel_user,
          .sentinel_password = config.redis.sentinel_password,
          .user = config.redis.user,
          .password = config.redis.password,
          .database = config.redis.database,
          .channel_prefix = config.redis.channel_prefix,
          .key_prefix = config.redis.key_prefix,
          .ping_interval = config.redis.ping_interval,
          .operation_timeout = config.redis.operation_timeout,
          .write_buffer_bytes = config.redis.write_buffer_bytes};
}

kafka::Backend::Options kafka_options(const config::Config& config) {
  kafka::Backend::Options options;
  options.brokers = config.kafka.brokers;
  options.node_id = config.node_id;
  options.topic_prefix = config.kafka.topic_prefix;
  options.partitions = config.queue.partitions;
  if (config.kafka.replication_factor > 0) options.replication_factor = config.kafka.replication_factor;
  options.retention = config.queue.retention;
  options.commit_interval = config.kafka.commit_interval;
  options.session_timeout = config.kafka.session_timeout;
  options.static_membership = config.kafka.static_membership;
  options.producer_buffer_bytes = config.queue.producer_buffer_bytes;
  options.prefetch_bytes = config.kafka.prefetch_bytes;
  options.properties = config.kafka.properties;
  return options;
}

constexpr std::size_t kBlockingThreads = 2;

std::string file_identity(const std::string& file) {
  struct stat info = {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return fmt::format("{}:{}:{}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

/// What only a start reads. The port may have been given on the command line.
bool same_servers(const config::Config& changed, const config::Config& now) {
  config::RestConfig rest = changed.rest;
  rest.port = now.rest.port;
  return rest == now.rest && changed.cluster == now.cluster && changed.zookeeper == now.zookeeper && changed.redis == now.redis &&
         changed.kafka == now.kafka && changed.queue == now.queue;
}

std::string health_text(std::string_view name, const Health& health) {
  return fmt::format("{}: {} since {}", name, health.reason, format_iso(health.since));
}

}  // namespace

/// The ports, by the adapters that the configuration names. Those below may use those above.
struct Application::Backend {
  std::unique_ptr<embedded::Backend> embedded;

  std::optional<embedded::DataDirLock> data_dir;
  std::unique_ptr<zookeeper::Backend> zookeeper;
  std::unique_ptr<redis::Backend> redis;
  std::unique_ptr<kafka::Backend> kafka;

  StateStore& state() { return embedded ? embedded->state() : zookeeper->state(); }
  Leases& leases() { return embedded ? embedded->leases() : zookeeper->leases(); }
  Fanout& fanout() { return embedded ? embedded->fanout() : redis->fanout(); }
  KeyValueStore& kv() { return embedded ? embedded->kv() : redis->kv(); }
  Queue& queue() { return embedded ? embedded->queue() : kafka->queue(); }
};

Result<std::unique_ptr<Application::Backend>> Application::open_backend(const config::Config& config, const Clock& clock,
                                                                        telemetry::Log& log) {
  auto backend = std::make_unique<Backend>();
  if (config.cluster.mode == config::ClusterConfig::Mode::kEmbedded) {
    auto embedded = embedded::Backend::open(embedded_options(config), clock, log);
    if (!embedded) return embedded.status();
    backend->embedded = std::move(*embedded);
    return backend;
  }
  auto data_dir = embedded::DataDirLock::take(config.data_dir, clock);
  if (!data_dir) return data_dir.status();
  backend->data_dir.emplace(std::move(*data_dir));
  auto zookeeper = zookeeper::Backend::open(zookeeper_options(config), clock, log);
  if (!zookeeper) return zookeeper.status();
  backend->zookeeper = std::move(*zookeeper);
  auto redis = redis::Backend::open(redis_options(config), clock, log);
  if (!redis) return redis.status();
  backend->redis = std::move(*redis);
  auto options = kafka_options(config);
  // What is given up must be kept before its offset is committed.
  options.after_writes = [&store = *backend->redis](std::function<void()> done) { store.after_writes(std::move(done)); };
  auto kafka = kafka::Backend::open(std::move(options), clock, log);
  if (!kafka) return kafka.status();
  backend->kafka = std::move(*kafka);
  return backend;
}

Result<std::unique_ptr<Application>> Application::start(config::Config config) {
  auto log = std::make_unique<telemetry::Log>(log_options(config.log));
  auto clock = std::make_unique<SystemClock>();
  auto backend = open_backend(config, *clock, *log);
  if (!backend) return backend.status();
  std::unique_ptr<Application> application(new Application(std::move(config), std::move(clock), std::move(log), std::move(*backend)));
  if (const Status built = application->build(); !built) return built;
  if (const Status opened = application->open_extensions(); !opened) {
    const Status stopped = application->stop();
    if (!stopped) static_cast<void>(application.release());  // what hangs may still use it, until the process ends
    return opened;
  }
  application->start_serving();
  return application;
}

Application::Application(config::Config config, std::unique_ptr<Clock> clock, std::unique_ptr<telemetry::Log> log,
                         std::unique_ptr<Backend> backend)
    : config_(std::move(config)),
      clock_(std::move(clock)),
      log_(std::move(log)),
      backend_(std::move(backend)),
      control_executor_("control", 1),
      blocking_executor_("blocking", kBlockingThreads),
      workers_("worker", std::max(2u, std::thread::hardware_concurrency())) {}

// The server binds first: the port that it gets is what other nodes are told.
Status Application::build() {
  server_ = std::make_unique<rest::HttpServer>(config_.rest, router_, *log_, metrics_);
  if (Status bound = server_->listen(); !bound) return bound;
  control_ =
      std::make_unique<control::ControlPlane>(control::ControlPlane::Options{.node_id = config_.node_id,
                                                                             .node_address = address(),
                                                                             .node_version = std::string(kVersion),
                                                                             .base_path = config_.cluster.base_path},
                                              control::ControlPlane::Dependencies{backend_->state(), backend_->fanout(), backend_->leases(),
                                                                                  backend_->kv(), control_executor_, *clock_, *log_});
  plugin_host_ = std::make_unique<plugin::PluginHost>(
      plugin::PluginHost::Options{
          .plugin_dir = config_.plugin_dir, .private_dir = config_.data_dir + "/plugins", .base_path = config_.cluster.base_path},
      plugin::PluginHost::Dependencies{{backend_->queue(), backend_->kv(), backend_->state(), backend_->leases(), workers_,
                                        blocking_executor_, *clock_, *log_, metrics_},
                                       router_,
                                       control_executor_});
  const rest::ApiDependencies api{*control_,
                                  *this,
                                  backend_->state(),
                                  backend_->fanout(),
                                  backend_->queue(),
                                  metrics_,
                                  blocking_executor_,
                                  *clock_,
                                  backend_->embedded != nullptr};
  rest::add_backbeat_routes(router_, api);
  rest::add_v1_routes(router_, api);
  return Status::ok();
}

Application::~Application() {
  if (control_ == nullptr) return;  // build failed
  if (const Status stopped = stop(); !stopped) log_->error("app", stopped.message());
}

Status Application::open_extensions() {
  for (const auto& extension : config_.extensions) {
    const Status opened = open_extension(extension);
    if (!opened && extension.required)
      return {opened.code(), fmt::format("extension '{}' is required and failed: {}", extension.name, opened.message())};
  }
  return Status::ok();
}

// Failed or not, the service becomes known, so that operators can see it and go on steering what is desired of it.
Status Application::open_extension(const config::ExtensionConfig& extension) {
  Extension entry;
  entry.config = extension;
  entry.file_identity = file_identity(plugin_host_->resolve(extension));
  auto opened = plugin_host_->open(extension);
  if (opened)
    entry.instance = std::move(*opened);
  else
    entry.error = opened.status().message();

  Status added = control_->add_service(service_spec(extension, entry.instance.get()), entry.instance.get(), entry.error);
  if (!added && entry.instance != nullptr) {
    if (const Status stopped = entry.instance->stop(config_.shutdown_timeout); !stopped) log_->error("app", stopped.message());
    entry.instance = nullptr;
  }
  if (!added) entry.error = added.message();
  if (entry.instance == nullptr) entry.failed = plugin::failed_view(extension.name, plugin_host_->resolve(extension), entry.error);
  if (entry.instance != nullptr) entry.instance->start();
  const Status status = opened ? added : opened.status();
  if (!status) log_->error("app", "extension failed", {{"extension", extension.name}, {"error", status.message()}});
  const std::lock_guard lock(extensions_mutex_);
  extensions_.push_back(std::move(entry));
  return status;
}

// The manifest says under which names a service keeps its state. When the plugin cannot be read, what it said last time
// counts, so that a pause ordered meanwhile is found by the mended plugin.
control::ServiceSpec Application::service_spec(const config::ExtensionConfig& extension, const plugin::ServiceInstance* instance) {
  ServiceNames names{extension.name, "backbeat-" + extension.name, false};
  const std::string path = fmt::format("{}/fermata/services/{}", config_.cluster.base_path, extension.name);
  if (instance != nullptr) {
    const auto& manifest = instance->manifest();
    names = {manifest.state_name, manifest.topic, manifest.paused_at_first};
    if (const Status kept = remember(backend_->state(), path, names); !kept) log_->warn("app", kept.message());
  } else if (const auto known = recall(backend_->state(), path)) {
    names = *known;
  }
  control::ServiceSpec spec{extension.name, names.state_name, names.topic, names.paused_at_first, {}};
  for (const auto& location : extension.locations) spec.locations.push_back({location.name, location.paused});
  return spec;
}

void Application::start_serving() {
  control_->start();
  server_->start();
  serving_ = true;
  std::ofstream(config_.data_dir + "/rest.address") << address() << "\n";
  log_->info("app", "serving", {{"address", address()}, {"node", config_.node_id}, {"data_dir", config_.data_dir}, {"version", kVersion}});
}

std::string Application::address() const {
  const bool v6 = config_.rest.address.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}", v6 ? "[" : "", config_.rest.address, v6 ? "]" : "", server_->port());
}

void Application::reload(const std::function<bool()>& interrupted) {
  log_->reopen();
  auto loaded = config::load(config_.file);
  if (loaded.config) std::ranges::move(plugin::check_extensions(*loaded.config, false), std::back_inserter(loaded.problems));
  if (!loaded.problems.empty()) {
    for (const auto& problem : loaded.problems) log_->error("config", problem.text());
    log_->error("config", "the configuration has problems: everything stays as it was", {{"file", config_.file}});
    return;
  }
  log_->set_level(log_options(loaded.config->log).level);
  if (!same_servers(*loaded.config, config_))
    log_->warn("config", "changes of rest, cluster, zookeeper, redis, kafka and queue take effect at the next start",
               {{"file", config_.file}});
  const auto& wanted = loaded.config->extensions;
  std::size_t failed = 0;
  for (const auto& former : stale_extensions(wanted)) {
    if (interrupted()) return;
    failed += replace_extension(former, std::ranges::find(wanted, former.name, &config::ExtensionConfig::name), wanted.end()) ? 0 : 1;
  }
  for (const auto& extension : wanted) {
    if (interrupted()) return;
    if (find_extension(extension.name) != extensions_.end()) continue;
    if (open_extension(extension))
      log_->info("app", "extension started", {{"extension", extension.name}});
    else
      ++failed;
  }
  if (failed > 0)
    log_->error("app", "configuration reloaded, but not every extension works as it says",
                {{"file", config_.file}, {"failed", std::to_string(failed)}});
  else
    log_->info("app", "configuration reloaded", {{"file", config_.file}});
}

/// Those that are gone, have changed, have another file, or do not work.
std::vector<config::ExtensionConfig> Application::stale_extensions(const std::vector<config::ExtensionConfig>& wanted) const {
  std::vector<config::ExtensionConfig> stale;
  for (const auto& extension : extensions_) {
    const bool same = std::ranges::find(wanted, extension.config) != wanted.end();
    const bool replaced = file_identity(plugin_host_->resolve(extension.config)) != extension.file_identity;
    const bool works = extension.instance != nullptr && extension.instance->view().state != "failed";
    if (!same || replaced || !works) stale.push_back(extension.config);
  }
  return stale;
}

// Two instances of a service cannot run side by side on one node, as they would share its routes and groups. So the former
// one goes first, and comes back if the new configuration turns out not to work.
bool Application::replace_extension(const config::ExtensionConfig& former, ExtensionIterator changed, ExtensionIterator none) {
  const bool worked = find_extension(former.name)->instance != nullptr;
  const Status closed = close_extension(former.name, config_.shutdown_timeout);
  if (!closed) log_->error("app", closed.message());
  if (changed == none) {
    log_->info("app", "extension removed", {{"extension", former.name}});
    return closed.is_ok();
  }
  if (open_extension(*changed)) {
    log_->info("app", "extension restarted", {{"extension", former.name}});
    return true;
  }
  if (!worked || *changed == former) return false;
  if (const Status gone = close_extension(former.name, config_.shutdown_timeout); !gone) log_->error("app", gone.message());
  if (const Status restored = open_extension(former); restored)
    log_->error("app", "the changed extension failed: it goes on with its former configuration", {{"extension", former.name}});
  return false;
}

std::vector<Application::Extension>::iterator Application::find_extension(std::string_view name) {
  return std::ranges::find(extensions_, name, [](const auto& extension) { return std::string_view(extension.config.name); });
}

Status Application::close_extension(const std::string& name, std::chrono::milliseconds timeout) {
  Extension entry;
  {
    const std::lock_guard lock(extensions_mutex_);
    const auto found = find_extension(name);
    entry = std::move(*found);
    extensions_.erase(found);
  }
  control_->remove_service(name);
  return entry.instance != nullptr ? entry.instance->stop(timeout) : Status::ok();
}

/// Drains all at once, so that one that hangs takes no time from the others.
Status Application::close_extensions(std::chrono::milliseconds timeout) {
  std::vector<Extension> closing;
  {
    const std::lock_guard lock(extensions_mutex_);
    closing.swap(extensions_);
  }
  std::vector<std::future<Status>> drains;
  for (const auto& extension : closing) {
    control_->remove_service(extension.config.name);
    if (extension.instance != nullptr)
      drains.push_back(std::async(std::launch::async, [&extension, timeout] { return extension.instance->stop(timeout); }));
  }
  Status result;
  for (auto& drain : drains) {
    if (Status closed = drain.get(); !closed) {
      log_->error("app", closed.message());
      result = std::move(closed);
    }
  }
  return result;
}

Status Application::stop() {
  if (std::exchange(stopped_, true)) return Status::ok();
  const auto deadline = std::chrono::steady_clock::now() + config_.shutdown_timeout;
  serving_ = false;
  server_->stop(std::chrono::milliseconds(1'000));
  control_->stop();
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  Status result = close_extensions(std::max(left, std::chrono::milliseconds(100)));
  std::remove((config_.data_dir + "/rest.address").c_str());
  log_->info("app", "stopped");
  if (const auto stuck = plugin_host_->stuck(); stuck > 0) {  // its threads may never come back: nothing may wait for them
    log_->flush(std::chrono::milliseconds(500));
    return {Code::kDeadlineExceeded, fmt::format("{} plugin instances still hang", stuck)};
  }
  control_executor_.stop();
  blocking_executor_.stop();
  workers_.stop();
  return result;
}

std::vector<control::PluginView> Application::plugins() const {
  const std::lock_guard lock(extensions_mutex_);
  std::vector<control::PluginView> views;
  for (const auto& extension : extensions_) {
    if (extension.instance != nullptr) {
      views.push_back(extension.instance->view());
      continue;
    }
    views.push_back(extension.failed);
  }
  return views;
}

std::vector<std::string> Application::not_ready() const {
  std::vector<std::string> reasons;
  if (!serving_) reasons.push_back("the daemon is starting or stopping");
  if (const Health health = backend_->state().health(); !health.ok) reasons.push_back(health_text("state store", health));
  if (const Health health = backend_->fanout().health(); !health.ok) reasons.push_back(health_text("fan-out", health));
  if (const Health health = backend_->queue().health(); !health.ok) reasons.push_back(health_text("queue", health));
  if (const std::string conflict = control_->conflict(); !conflict.empty()) reasons.push_back(conflict);
  for (const auto& plugin : plugins())
    if (plugin.state == "starting") reasons.push_back(fmt::format("plugin {} is starting", plugin.service));
  return reasons;
}

std::shared_ptr<plugin::ServiceInstance> Application::find_instance(std::string_view service) const {
  const std::lock_guard lock(extensions_mutex_);
  const auto found = std::ranges::find(extensions_, service, [](const auto& extension) { return std::string_view(extension.config.name); });
  return found == extensions_.end() ? nullptr : found->instance;
}

Result<std::vector<pipeline::FailedRecord>> Application::failed(std::string_view service, std::string_view location, std::string_view after,
                                                                std::size_t limit) {
  const auto instance = find_instance(service);
  if (instance == nullptr) return Status(Code::kNotFound, fmt::format("service '{}' does not run on this node", service));
  return instance->pipelines().failed(location, after, limit);
}

Result<std::size_t> Application::retry_failed(std::string_view service, std::string_view location, const std::vector<std::string>& ids) {
  const auto instance = find_instance(service);
  if (instance == nullptr) return Status(Code::kNotFound, fmt::format("service '{}' does not run on this node", service));
  return instance->pipelines().retry_failed(location, ids);
}

}  // namespace fermata::app
