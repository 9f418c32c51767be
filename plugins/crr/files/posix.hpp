#pragma once
// Files as this plugin uses them: descriptors that close themselves, and paths that are resolved one component at a time
// below a root, so that a symbolic link planted in a tree never leads out of it.

#include "model/object.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fermata::crr {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// Gives up ownership.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// What the system's error number means for replication: kNotFound (also for a path through something that is no
/// directory), kPermissionDenied, kInvalidArgument, kUnimplemented, or kUnavailable for what may pass by itself.
Status errno_status(int error, std::string_view what);

/// Ok if `path` can stand below a root: no empty, "." or ".." component, none over 255 bytes, no temporary of ours.
Status check_relative_path(std::string_view path);

/// Opens a directory; `path` may be a symbolic link.
Result<Fd> open_root(const std::string& path);
/// Opens a directory that stands in `directory` under `name`; never follows a symbolic link.
Result<Fd> open_directory_at(int directory, const std::string& name);
/// Opens the directory at `path` below `root`; empty: the root again.
Result<Fd> open_directory_beneath(int root, std::string_view path);

/// The directory that holds an entry, and the entry's name in it.
struct Parent {
  Fd directory;
  std::string name;
};
Result<Parent> open_parent(int root, std::string_view path);

/// Facts of an entry below `root`; the last component is not followed either. kNotFound if there is none.
Result<struct stat> stat_beneath(int root, std::string_view path);

std::int64_t to_ns(const timespec& time);
/// Now, by the clock that file systems stamp with.
std::int64_t file_clock_ns();

/// Timestamps move in ticks of up to this length. A file stamped within the last tick may change once more without showing it.
constexpr std::int64_t kTickNs = 20'000'000;

/// Differs when size, times or inode differ, and so whenever the content was changed by ordinary means.
std::string fingerprint(const struct stat& info);
/// The same, but ends in "~" if it was taken within a tick of the last change, and then equals no later one.
std::string fingerprint_at(const struct stat& info, std::int64_t now_ns);

}  // namespace fermata::crr
