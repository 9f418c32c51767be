#include "plugin/plugin_host.hpp"

#include "plugin/instance.hpp"
#include "plugin/library.hpp"
#include "plugin/problems.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace fermata::plugin {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kDestructionTimeout{10'000};

/// What the rest of the host holds; the Instance may outlive it.
class RunningService final : public ServiceInstance {
 public:
  explicit RunningService(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}
  ~RunningService() override { static_cast<void>(instance_->stop(kDestructionTimeout)); }

  void start() override { instance_->start(); }
  Status stop(std::chrono::milliseconds timeout) override { return instance_->stop(timeout); }
  control::PluginView view() const override { return instance_->view(); }
  pipeline::ServicePipelines& pipelines() override { return instance_->pipelines(); }
  const ServiceManifest& manifest() const override { return instance_->service(); }

  void apply(std::string_view location, bool paused) override { instance_->apply(location, paused); }
  control::LocationObservation observe(std::string_view location) const override { return instance_->observe(location); }
  void on_change(std::function<void(std::string_view location)> callback) override { instance_->notes().listen(std::move(callback)); }

 private:
  std::shared_ptr<Instance> instance_;
};

Status check_configuration(const ServiceManifest& service, const config::ExtensionConfig& extension) {
  std::string sentences;
  for (const auto& problem : check_extension(service, extension)) sentences += fmt::format("; {}: {}", problem.pointer, problem.message);
  if (sentences.empty()) return Status::ok();
  return {Code::kInvalidArgument,
          fmt::format("the configuration of extension '{}' does not fit its plugin's schema{}", extension.name, sentences)};
}

Result<std::string> make_work_dir(const fs::path& private_dir, const std::string& service) {
  const fs::path work_dir = private_dir / "work" / service;
  std::error_code error;
  fs::create_directories(work_dir, error);
  if (!error) fs::permissions(work_dir, fs::perms::owner_all, error);
  if (!error) return work_dir.string();
  return Status(Code::kUnavailable,
                fmt::format("work directory '{}' cannot be made: {}; check the owner of data_dir", work_dir.string(), error.message()));
}

// Copies of an earlier run; nothing maps them, as one process at a time owns the directory.
void remove_old_copies(const std::string& private_dir) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(private_dir, error)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored)) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

class PluginHost::Impl {
 public:
  Impl(Options options, Dependencies dependencies) : options_(std::move(options)), deps_(dependencies) {
    remove_old_copies(options_.private_dir);
  }

  const Options& options() const { return options_; }
  std::size_t stuck() { return graveyard_.sweep(); }

  Result<std::unique_ptr<ServiceInstance>> open(const config::ExtensionConfig& extension) {
    auto setup = prepare(extension);
    if (!setup) return setup.status();
    const std::string file = setup->file;
    auto instance = std::make_shared<Instance>(std::move(*setup), deps_, graveyard_);
    if (auto begun = instance->init(); !begun) {
      return Status(begun.code(), fmt::format("plugin file '{}': service '{}' cannot be used: {}; correct its settings, or mend the plugin",
                                              file, extension.name, begun.message()));
    }
    return std::unique_ptr<ServiceInstance>(std::make_unique<RunningService>(std::move(instance)));
  }

 private:
  // Everything that can be said without running the plugin is said first.
  Result<Instance::Setup> prepare(const config::ExtensionConfig& extension) {
    const std::string file = plugin_file(options_.plugin_dir, extension);
    const auto manifest = read_manifest(file);
    if (!manifest) return manifest.status();
    const auto service = find_service(file, *manifest, extension.name);
    if (!service) return service.status();
    if (auto checked = check_configuration(*service, extension); !checked) return checked;
    const auto copy = private_copy(file, options_.private_dir);
    if (!copy) return copy.status();
    const auto functions = load_library(*copy, file, *manifest);
    if (!functions) return functions.status();
    const auto work_dir = make_work_dir(options_.private_dir, extension.name);
    if (!work_dir) return work_dir.status();
    return Instance::Setup{file,
                           *manifest,
                           *service,
                           *functions,
                           extension,
                           *work_dir,
                           options_.base_path + "/" + service->state_name,
                           options_.init_timeout,
                           options_.hook_timeout};
  }

  const Options options_;
  const Dependencies deps_;
  Graveyard graveyard_;
};

PluginHost::PluginHost(Options options, Dependencies dependencies) : impl_(std::make_unique<Impl>(std::move(options), dependencies)) {}
PluginHost::~PluginHost() = default;

std::string PluginHost::resolve(const config::ExtensionConfig& extension) const {
  return plugin_file(impl_->options().plugin_dir, extension);
}
Result<std::unique_ptr<ServiceInstance>> PluginHost::open(const config::ExtensionConfig& extension) { return impl_->open(extension); }
std::size_t PluginHost::stuck() const { return impl_->stuck(); }

control::PluginView failed_view(const std::string& service, const std::string& file, const std::string& error) {
  control::PluginView view;
  view.service = view.name = service;
  view.path = file;
  view.state = "failed";
  view.error = error;
  const auto manifest = read_manifest(file);
  if (!manifest) return view;
  view.name = manifest->name;
  view.version = manifest->version;
  view.description = manifest->description;
  view.abi_major = manifest->abi_major;
  view.abi_minor = manifest->abi_minor;
  return view;
}

}  // namespace fermata::plugin
