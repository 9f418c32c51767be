#include "plugin/checks.hpp"

#include "plugin/check_sample.hpp"
#include "plugin/elf_file.hpp"
#include "plugin/library.hpp"
#include "plugin/manifest.hpp"
#include "plugin/plugin_calls.hpp"
#include "plugin/schema.hpp"

#include <fmt/format.h>
#include <fermata/testing/fake_host.hpp>

#include <boost/json.hpp>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

namespace fermata::plugin {
namespace fs = std::filesystem;
namespace {

using sdk::testing::FakeHost;

Outcome passed() { return {}; }
Outcome failed(std::string why) { return {CheckResult::Verdict::kFailed, std::move(why)}; }
Outcome skipped(std::string why) { return {CheckResult::Verdict::kSkipped, std::move(why)}; }

/// A directory of this check's own, removed at the end.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "fermata-check-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The plugin, loaded, with a configuration for each of its services.
struct Subject {
  Manifest manifest;
  fermata_plugin plugin;
};

Result<Subject> load(const std::string& file) {
  auto manifest = read_manifest(file);
  if (!manifest) return manifest.status();
  auto plugin = load_library(fs::absolute(file).string(), file, *manifest);
  if (!plugin) return plugin.status();
  return Subject{*manifest, *plugin};
}

/// One instance on a host in memory; destroyed with it.
class Trial {
 public:
  Trial(const Subject& subject, const std::string& service) : service_(service), calls_(subject.plugin, subject.manifest.name) {}
  ~Trial() { calls_.destroy(); }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  Status init(const std::string& config_json) {
    if (auto created = calls_.create(host_.raw(), service_); !created) return created;
    auto begun = calls_.init(config_json);
    host_.seal();
    return begun;
  }
  Status start() {
    auto started = calls_.start();
    host_.run_ready();
    return started;
  }
  Status stop() {
    auto stopped = calls_.stop();
    host_.drop_tasks();
    return stopped;
  }
  PluginCalls& calls() { return calls_; }
  FakeHost& host() { return host_; }

 private:
  std::string service_;
  FakeHost host_;
  PluginCalls calls_;
};

using ServiceCheck = std::function<Outcome(const Subject&, const ServiceManifest&, const SampleConfig&)>;

// Runs `check` for every service, until one does not pass.
Outcome for_each_service(const std::string& file, const ServiceCheck& check) {
  const auto subject = load(file);
  if (!subject) return failed(subject.status().message());
  const Scratch scratch;
  for (const auto& service : subject->manifest.services) {
    const auto sample = sample_config(service, scratch.path());
    if (!sample) return skipped(sample.status().message());
    if (auto outcome = check(*subject, service, *sample); outcome.verdict != CheckResult::Verdict::kPassed) {
      outcome.detail = fmt::format("service '{}': {}", service.name, outcome.detail);
      return outcome;
    }
  }
  return passed();
}

// Brings an instance to where records would flow. A plugin that cannot start here is not a broken one.
Outcome bring_up(Trial& trial, const SampleConfig& sample) {
  if (auto begun = trial.init(sample.config_json); !begun)
    return failed(fmt::format("{}, with the configuration {}; if that is not a working one, give one as `examples` in the schemas",
                              begun.message(), sample.config_json));
  const auto started = trial.start();
  if (started.code() == Code::kUnavailable) return skipped(fmt::format("start needs something that is not here: {}", started.message()));
  return started ? passed() : failed(started.message());
}

Outcome wind_down(Trial& trial) {
  if (auto stopped = trial.stop(); !stopped) return failed(stopped.message());
  if (const auto violations = trial.host().violations(); !violations.empty()) return failed(violations.front());
  if (const auto open = trial.host().open_promises(); open > 0)
    return failed(fmt::format("{} deliveries, batches or requests were left open by stop", open));
  return passed();
}

std::size_t thread_count() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()));
}

// The kernel shows a thread that was joined a moment longer.
bool threads_go_back_to(std::size_t count) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (thread_count() > count) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Outcome exports_only_entry(const std::string& file) {
  const auto facts = read_elf(file);
  if (!facts) return failed(facts.status().message());
  std::string others;
  for (const auto& symbol : facts->exported)
    if (symbol != FERMATA_ENTRY_SYMBOL) others += (others.empty() ? "" : ", ") + symbol;
  if (facts->exported.empty() || (facts->exported.size() == 1 && !others.empty()))
    return failed("does not export " FERMATA_ENTRY_SYMBOL "; build it with fermata_add_plugin and FERMATA_PLUGIN");
  if (others.empty()) return passed();
  return failed(fmt::format("also exports {}; build it with fermata_add_plugin, or with hidden visibility and a version script",
                            others.substr(0, 500)));
}

Outcome entry_pure(const std::string& file) {
  const std::size_t threads = thread_count();
  if (const auto facts = read_elf(file); !facts) return failed(facts.status().message());
  const auto entry = load_entry(fs::absolute(file).string(), file);
  if (!entry) return failed(entry.status().message());
  try {
    const fermata_plugin* first = entry->call();
    if (first == nullptr) return failed("the entry returned no plugin");
    fermata_plugin copy = {};
    const std::size_t size = std::min<std::size_t>(first->struct_size, sizeof(copy));
    std::memcpy(&copy, first, size);
    const fermata_plugin* second = entry->call();
    if (first != second) return failed("the entry returned another pointer at its second call; return the address of a constant");
    if (std::memcmp(&copy, second, size) != 0) return failed("what the entry returned changed at its second call; return a constant");
  } catch (...) {
    return failed("the entry threw an exception; it must only return a constant");
  }
  return threads_go_back_to(threads) ? passed() : failed("loading it or calling its entry started a thread; start threads in start");
}

Outcome abi_major(const std::string& file) {
  const auto subject = load(file);
  return subject ? passed() : failed(subject.status().message());
}

Outcome manifest_valid(const std::string& file) {
  const auto subject = load(file);
  if (!subject) return failed(subject.status().message());
  const auto version = sdk::from_abi(subject->plugin.version);
  if (version == subject->manifest.version) return passed();
  return failed(fmt::format("the entry says version '{}', the manifest '{}'; use one version in both", version, subject->manifest.version));
}

Outcome config_schemas_valid(const std::string& file) {
  const auto manifest = read_manifest(file);
  if (!manifest) return failed(manifest.status().message());
  for (const auto& service : manifest->services) {
    if (const auto schema = SchemaValidator::compile(service.settings_schema_json); !schema)
      return failed(fmt::format("settings_schema of service '{}': {}", service.name, schema.status().message()));
    if (const auto schema = SchemaValidator::compile(service.location_schema_json); !schema)
      return failed(fmt::format("location_schema of service '{}': {}", service.name, schema.status().message()));
  }
  return passed();
}

bool refused(const Subject& subject, const ServiceManifest& service, const SampleConfig& sample, const std::string& settings_json) {
  if (!validate(service.settings_schema_json, settings_json).empty()) return true;
  return !Trial(subject, service.name).init(with_settings(sample, settings_json));
}

Outcome rejects_bad_config(const std::string& file) {
  return for_each_service(file, [](const Subject& subject, const ServiceManifest& service, const SampleConfig& sample) {
    const auto settings = boost::json::parse(sample.config_json).at("settings");
    const auto groups = wrong_settings(service.settings_schema_json, boost::json::serialize(settings));
    if (groups.empty()) return skipped("its settings schema describes no members that could be wrong");
    for (const auto& group : groups) {
      const bool any = std::any_of(group.settings_json.begin(), group.settings_json.end(),
                                   [&](const auto& wrong) { return refused(subject, service, sample, wrong); });
      if (!any)
        return failed(fmt::format("the setting '{}' may be anything: neither its schema nor init refuses a wrong type", group.member));
    }
    return passed();
  });
}

Outcome two_instances(const std::string& file) {
  return for_each_service(file, [](const Subject& subject, const ServiceManifest& service, const SampleConfig& sample) {
    Trial first(subject, service.name);
    if (auto up = bring_up(first, sample); up.verdict != CheckResult::Verdict::kPassed) return up;
    {
      Trial second(subject, service.name);
      if (auto begun = second.init(sample.config_json); !begun) return failed(fmt::format("a second instance: {}", begun.message()));
    }
    if (auto paused = first.calls().pause(sample.location); !paused)
      return failed(fmt::format("after a second instance was destroyed the first does not work: {}", paused.message()));
    return wind_down(first);
  });
}

Outcome start_stop(const std::string& file) {
  return for_each_service(file, [](const Subject& subject, const ServiceManifest& service, const SampleConfig& sample) {
    Trial trial(subject, service.name);
    if (auto up = bring_up(trial, sample); up.verdict != CheckResult::Verdict::kPassed) return up;
    return wind_down(trial);
  });
}

Outcome pause_resume_idempotent(const std::string& file) {
  return for_each_service(file, [](const Subject& subject, const ServiceManifest& service, const SampleConfig& sample) {
    Trial trial(subject, service.name);
    if (auto up = bring_up(trial, sample); up.verdict != CheckResult::Verdict::kPassed) return up;
    constexpr std::array<bool, 7> kPauses = {true, true, false, false, true, false, false};
    for (std::size_t i = 0; i < kPauses.size(); ++i) {
      const auto called = kPauses[i] ? trial.calls().pause(sample.location) : trial.calls().resume(sample.location);
      if (!called) return failed(fmt::format("call {} of pause pause resume resume pause resume resume: {}", i + 1, called.message()));
      if (const auto status = trial.calls().status(sample.location); status.message.starts_with("the plugin's status cannot be understood"))
        return failed(status.message);
    }
    return wind_down(trial);
  });
}

// A call that may fail in any way but by an exception.
template <typename Call>
bool escapes(Call&& call) {
  try {
    call();
    return false;
  } catch (...) {
    return true;
  }
}

/// An instance whose functions are called bare, so that what escapes them is seen; destroyed with it.
class Bare {
 public:
  Bare(const fermata_plugin& plugin, std::string_view service) : plugin_(plugin) {
    create_throws_ = escapes([&] { plugin_.create(host_.raw(), sdk::to_abi(service), &instance_, &error_); });
  }
  ~Bare() { destroy(); }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  bool create_throws() const { return create_throws_; }
  bool created() const { return instance_ != nullptr; }
  bool init_throws(const std::string& config) {
    return escapes([&] { plugin_.init(instance_, sdk::to_abi(config), &error_); });
  }
  bool stop_throws() {
    return escapes([&] { plugin_.stop(instance_, &error_); });
  }
  /// @param hook  pause or resume; null if the plugin has none.
  bool throws(fermata_code (*hook)(void*, fermata_str, fermata_error*), std::string_view location) {
    return hook != nullptr && escapes([&] { hook(instance_, sdk::to_abi(location), &error_); });
  }
  /// @return whether that throws.
  bool destroy() {
    void* const instance = std::exchange(instance_, nullptr);
    return instance != nullptr && escapes([&] { plugin_.destroy(instance); });
  }

 private:
  const fermata_plugin& plugin_;
  FakeHost host_;
  fermata_error error_ = sdk::make_error();
  void* instance_ = nullptr;
  bool create_throws_ = false;
};

Outcome contains_exceptions(const Subject& subject, const ServiceManifest& service, const SampleConfig& sample) {
  if (Bare(subject.plugin, "no such service").create_throws()) return failed("create of an unknown service throws");
  for (const std::string& config : {std::string("{"), std::string("[]"), std::string("{}"), std::string(), with_settings(sample, "[[]]")}) {
    Bare instance(subject.plugin, service.name);
    if (!instance.created()) return failed("create fails");
    if (instance.init_throws(config)) return failed(fmt::format("init throws at the configuration '{}'", config));
    if (instance.destroy()) return failed(fmt::format("destroy throws after init with the configuration '{}'", config));
  }
  Bare instance(subject.plugin, service.name);
  if (!instance.created()) return failed("create fails");
  if (instance.stop_throws()) return failed("stop before init throws");
  if (instance.throws(subject.plugin.pause, "no such location")) return failed("pause of an unknown location throws");
  if (instance.throws(subject.plugin.resume, "no such location")) return failed("resume of an unknown location throws");
  return instance.destroy() ? failed("destroy throws") : passed();
}

Outcome exceptions_contained(const std::string& file) { return for_each_service(file, &contains_exceptions); }

Outcome no_threads_left(const std::string& file) {
  const std::size_t threads = thread_count();
  return for_each_service(file, [threads](const Subject& subject, const ServiceManifest& service, const SampleConfig& sample) {
    {
      Trial trial(subject, service.name);
      if (auto up = bring_up(trial, sample); up.verdict != CheckResult::Verdict::kPassed) return up;
      if (auto down = wind_down(trial); down.verdict != CheckResult::Verdict::kPassed) return down;
    }
    if (threads_go_back_to(threads)) return passed();
    return failed(fmt::format("{} threads are left after destroy; join them in stop", thread_count() - threads));
  });
}

constexpr std::array<Check, 11> kChecks = {{
    {"exports-only-entry", &exports_only_entry},
    {"entry-pure", &entry_pure},
    {"abi-major", &abi_major},
    {"manifest-valid", &manifest_valid},
    {"config-schemas-valid", &config_schemas_valid},
    {"rejects-bad-config", &rejects_bad_config},
    {"two-instances", &two_instances},
    {"start-stop", &start_stop},
    {"pause-resume-idempotent", &pause_resume_idempotent},
    {"exceptions-contained", &exceptions_contained},
    {"no-threads-left", &no_threads_left},
}};

}  // namespace

std::span<const Check> all_checks() { return kChecks; }

}  // namespace fermata::plugin
