#include "plugin/library.hpp"

#include "base/random.hpp"
#include "plugin/fence.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace fermata::plugin {
namespace fs = std::filesystem;
namespace dll = boost::dll;
namespace {

// What a plugin of the first version must have; pause, resume and status may be absent, which means "nothing to add".
constexpr std::size_t kLeastPluginSize = offsetof(fermata_plugin, pause);

std::uint64_t hash_of(std::string_view content) {  // FNV-1a: tells versions of a file apart, not forgeries
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : content) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

Status refuse(const std::string& file, std::string_view what, Code code = Code::kFailedPrecondition) {
  return {code, fmt::format("plugin file '{}' {}", file, what)};
}

Status write_copy(const std::string& content, const fs::path& target) {
  const fs::path temporary = target.string() + "." + random_hex(4);
  std::ofstream out(temporary, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  std::error_code error;
  if (out) {
    fs::permissions(temporary, fs::perms::owner_read | fs::perms::owner_exec, error);
    if (!error) fs::rename(temporary, target, error);
    if (!error) return Status::ok();
  }
  const std::string why = error ? error.message() : "writing failed";
  fs::remove(temporary, error);
  return {Code::kUnavailable,
          fmt::format("a private copy '{}' cannot be made: {}; check the space and the owner of data_dir", target.string(), why)};
}

std::string cannot_be_loaded(const std::string& path, const std::string& file, std::string why) {
  for (auto at = why.find(path); at != std::string::npos; at = why.find(path)) why.replace(at, path.size(), fs::path(file).filename());
  if (why.find("undefined symbol") != std::string::npos)
    return fmt::format(
        "needs a symbol that nothing provides ({}); link the library that has it, and build with -Wl,-z,defs as fermata_add_plugin does",
        why);
  return fmt::format("cannot be loaded ({}); install the libraries it needs", why);
}

Status check_plugin_struct(const std::string& file, const fermata_plugin* plugin, const Manifest& manifest) {
  if (plugin == nullptr) return refuse(file, "returned no plugin from its entry; return the address of a constant fermata_plugin");
  if (plugin->struct_size < kLeastPluginSize) {
    return refuse(
        file,
        fmt::format("has a fermata_plugin of {} bytes, but ABI {}.0 needs at least {}; set struct_size to sizeof(fermata_plugin) and build "
                    "with this SDK's headers",
                    plugin->struct_size, FERMATA_ABI_MAJOR, kLeastPluginSize));
  }
  if (plugin->abi_major != FERMATA_ABI_MAJOR) {
    return refuse(file,
                  fmt::format("returns a plugin of ABI {}.{}, but this host speaks ABI {}.{} (as its manifest does); build it with one SDK",
                              plugin->abi_major, plugin->abi_minor, FERMATA_ABI_MAJOR, FERMATA_ABI_MINOR));
  }
  if (sdk::from_abi(plugin->name) != manifest.name) {
    return refuse(file, fmt::format("calls itself '{}' in its entry, but '{}' in its manifest; use one name in both",
                                    sdk::from_abi(plugin->name), manifest.name));
  }
  if (plugin->create == nullptr || plugin->destroy == nullptr || plugin->init == nullptr || plugin->start == nullptr ||
      plugin->stop == nullptr)
    return refuse(file, "lacks one of the functions create, destroy, init, start and stop; fill in all of them");
  return Status::ok();
}

}  // namespace

Result<std::string> private_copy(const std::string& file, const std::string& private_dir) {
  std::ifstream in(file, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return refuse(file, "cannot be read; check its owner and mode", Code::kPermissionDenied);

  std::error_code error;
  fs::create_directories(private_dir, error);
  if (error)
    return Status(Code::kUnavailable, fmt::format("directory '{}' for copies of plugins cannot be made: {}", private_dir, error.message()));
  const fs::path target = fs::path(private_dir) / fmt::format("{}-{:016x}.so", fs::path(file).stem().string(), hash_of(content));
  if (fs::exists(target, error)) return target.string();
  if (auto written = write_copy(content, target); !written) return written;
  return target.string();
}

Result<Entry> load_entry(const std::string& path, const std::string& file) {
  try {
    // RTLD_NODELETE: threads, exceptions and callbacks may still refer to the code after everything was stopped.
    const auto mode = dll::load_mode::rtld_now | dll::load_mode::rtld_local | static_cast<dll::load_mode::type>(RTLD_NODELETE);
    const dll::shared_library library(path, mode);
    return Entry{&library.get<const fermata_plugin*()>(FERMATA_ENTRY_SYMBOL)};
  } catch (const std::exception& thrown) {
    return refuse(file, cannot_be_loaded(path, file, thrown.what()));
  }
}

Result<fermata_plugin> load_library(const std::string& path, const std::string& file, const Manifest& manifest) {
  const auto entry = load_entry(path, file);
  if (!entry) return entry.status();
  const fermata_plugin* plugin = nullptr;
  const auto entered = fenced(fmt::format("plugin file '{}': its entry", file), [&] {
    plugin = entry->call();
    return Status::ok();
  });
  if (!entered) return Status(Code::kInternal, entered.message() + "; the entry must only return a constant");
  if (auto checked = check_plugin_struct(file, plugin, manifest); !checked) return checked;

  fermata_plugin known = {};
  std::memcpy(&known, plugin, std::min<std::size_t>(plugin->struct_size, sizeof(known)));
  return known;
}

}  // namespace fermata::plugin
