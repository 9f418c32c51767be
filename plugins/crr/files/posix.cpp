#include "files/posix.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace fermata::crr {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

Code code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP: return Code::kNotFound;
    case EACCES:
    case EPERM: return Code::kPermissionDenied;
    case ENAMETOOLONG:
    case EINVAL:
    case EISDIR:
    case EFBIG:
    case E2BIG:
    case ERANGE: return Code::kInvalidArgument;
    case ENOTSUP: return Code::kUnimplemented;
    default: return Code::kUnavailable;
  }
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Status errno_status(int error, std::string_view what) {
  return {code_of(error), std::string(what) + ": " + std::generic_category().message(error)};
}

Status check_relative_path(std::string_view path) {
  std::string_view rest = path;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.empty() || name == "." || name == ".." || name.size() > 255 || name.find('\0') != std::string_view::npos)
      return {Code::kInvalidArgument,
              "'" + std::string(path) + "' cannot be a path of files: its parts must have 1 to 255 bytes and not be . or .."};
    if (name.starts_with(kTemporaryPrefix))
      return {Code::kInvalidArgument, "'" + std::string(path) + "' has a name that is reserved for temporary files of this plugin"};
    if (slash == std::string_view::npos) return Status::ok();
    rest.remove_prefix(slash + 1);
  }
}

Result<Fd> open_root(const std::string& path) {
  Fd fd(::open(path.c_str(), kDirectoryFlags));
  if (!fd) return errno_status(errno, path);
  return fd;
}

Result<Fd> open_directory_at(int directory, const std::string& name) {
  Fd fd(::openat(directory, name.c_str(), kDirectoryFlags | O_NOFOLLOW));
  if (!fd) return errno_status(errno, "directory " + name);
  return fd;
}

Result<Fd> open_directory_beneath(int root, std::string_view path) {
  Fd current(::openat(root, ".", kDirectoryFlags));
  if (!current) return errno_status(errno, "the root");
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    auto next = open_directory_at(current.get(), std::string(path.substr(0, slash)));
    if (!next) return next;
    current = std::move(*next);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return current;
}

Result<Parent> open_parent(int root, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  auto directory = open_directory_beneath(root, slash == std::string_view::npos ? std::string_view() : path.substr(0, slash));
  if (!directory) return directory.status();
  return Parent{std::move(*directory), std::string(slash == std::string_view::npos ? path : path.substr(slash + 1))};
}

Result<struct stat> stat_beneath(int root, std::string_view path) {
  auto parent = open_parent(root, path);
  if (!parent) return parent.status();
  struct stat info {};
  if (::fstatat(parent->directory.get(), parent->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno_status(errno, path);
  return info;
}

std::int64_t to_ns(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

std::int64_t file_clock_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return to_ns(now);
}

std::string fingerprint(const struct stat& info) {
  return std::to_string(info.st_size) + "-" + std::to_string(to_ns(info.st_mtim)) + "-" + std::to_string(to_ns(info.st_ctim)) + "-" +
         std::to_string(info.st_ino);
}

std::string fingerprint_at(const struct stat& info, std::int64_t now_ns) {
  return fingerprint(info) + (now_ns - to_ns(info.st_ctim) < kTickNs ? "~" : "");
}

}  // namespace fermata::crr
