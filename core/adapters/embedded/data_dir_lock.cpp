#include "adapters/embedded/data_dir_lock.hpp"

#include "base/time_format.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace fermata::embedded {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string read_all(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string("an unknown process");
}

Status cannot(const std::string& what, int error) { return {Code::kUnavailable, fmt::format("cannot {}: {}", what, std::strerror(error))}; }

Status make_directory(const std::string& path) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (error) return cannot("make data_dir " + path, error.value());
  if (made) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  return Status::ok();
}

}  // namespace

Result<DataDirLock> DataDirLock::take(const std::string& data_dir, const Clock& clock) {
  if (auto made = make_directory(data_dir); !made) return made;
  const std::string file = data_dir + "/lock";
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return cannot("open " + file, errno);
  DataDirLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return cannot("lock " + file, errno);
    return Status(Code::kFailedPrecondition, fmt::format("data_dir {} is in use by {}: stop that one, or give this one another data_dir",
                                                         data_dir, read_all(descriptor)));
  }
  const std::string holder = fmt::format("process {} on host {} since {}", getpid(), host_name(), format_iso(clock.now()));
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, holder.data(), holder.size(), 0) != static_cast<ssize_t>(holder.size()))
    return cannot("write " + file, errno);
  return lock;
}

DataDirLock::~DataDirLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

DataDirLock::DataDirLock(DataDirLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

}  // namespace fermata::embedded
