#pragma once

#include "plugin/change_notes.hpp"
#include "plugin/graveyard.hpp"
#include "plugin/hook_thread.hpp"
#include "plugin/hook_watch.hpp"
#include "plugin/host_bridge.hpp"
#include "plugin/location_table.hpp"
#include "plugin/plugin_calls.hpp"
#include "plugin/plugin_host.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace fermata::plugin {

/// All that one running extension is made of. It lives as long as anything may run in it: held by the ServiceInstance that
/// PluginHost hands out, or, if the plugin hangs, by the graveyard.
///
/// Threads: as ServiceInstance. Whatever is said to happen "on the hook thread" happens nowhere else.
class Instance final : public Stuck, public std::enable_shared_from_this<Instance> {
 public:
  struct Setup {
    std::string file;
    Manifest manifest;
    ServiceManifest service;
    fermata_plugin functions;
    config::ExtensionConfig extension;
    std::string work_dir;
    std::string state_path;
    std::chrono::milliseconds init_timeout;
    std::chrono::milliseconds hook_timeout;
  };

  Instance(Setup setup, PluginHost::Dependencies dependencies, Graveyard& graveyard);
  ~Instance() override = default;

  /// create and init. After a failure the instance is taken down already.
  Status init();

  void start();
  Status stop(std::chrono::milliseconds timeout);
  void apply(std::string_view location, bool paused);
  control::LocationObservation observe(std::string_view location) const;
  control::PluginView view() const;
  ChangeNotes& notes() { return notes_; }
  pipeline::ServicePipelines& pipelines() { return pipelines_; }
  const ServiceManifest& service() const { return setup_.service; }

  bool at_rest() const override;

 private:
  enum class Phase { kStarting, kRunning, kFailed, kStopping, kStopped };
  class Deadline;

  std::string config_json() const;
  void try_start();
  Status start_all();
  void retry_start(const Status& why);
  void enter(Phase phase, std::string why);
  void schedule_drain();
  void drain();
  void run_hook(const LocationTable::Job& job);
  void settle_gate(std::string_view location);
  void schedule_round();
  void round();
  void ask_status();
  void count_overrun();
  void overran(const Hook& hook, bool hung);
  void hook_ended(const Hook& hook);
  bool run_stop_hook(const Deadline& deadline, Status& result);
  bool take_down(const Deadline& deadline);
  std::string describe(const Hook& hook) const;
  void note_all();

  const Setup setup_;
  const PluginHost::Dependencies deps_;
  Graveyard& graveyard_;

  LocationTable locations_;
  ChangeNotes notes_;
  pipeline::ServicePipelines pipelines_;
  HostBridge bridge_;
  PluginCalls calls_;  // on the hook thread

  std::atomic<bool> stopping_{false};
  std::atomic<bool> plugin_started_{false};
  std::atomic<bool> drain_posted_{false};
  std::atomic<bool> round_posted_{false};
  std::uint32_t start_attempts_ = 0;  // on the hook thread
  std::size_t next_status_ = 0;       // on the hook thread: the location whose status is asked next
  std::mutex gate_order_;             // held while a gate is set as wanted, so that the last call wins

  mutable std::mutex mutex_;  // guards all below
  Phase phase_ = Phase::kStarting;
  std::string why_;   // the plugin has not started, or has failed
  std::string hung_;  // the hook that does not return

  HookWatch watch_;
  HookThread hooks_;  // last: its thread uses everything above
};

}  // namespace fermata::plugin
