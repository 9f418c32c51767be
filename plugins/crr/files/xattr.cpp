#include "files/xattr.hpp"

#include "files/posix.hpp"

#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

namespace fermata::crr {
namespace {

constexpr std::string_view kUserPrefix = "user.";
/// The kernel's own limit of a list and of a value.
constexpr std::size_t kMaxBytes = 65'536;

/// ENOSPC also means that the attributes of one file have no room, as on ext4, which no waiting helps.
bool has_room(int file) {
  struct statvfs info {};
  return ::fstatvfs(file, &info) == 0 && info.f_bavail > 0;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> read_user_metadata(int file) {
  std::vector<std::pair<std::string, std::string>> found;
  if (::flistxattr(file, nullptr, 0) == 0) return found;
  std::string names(kMaxBytes, '\0');
  const ssize_t names_size = ::flistxattr(file, names.data(), names.size());
  if (names_size < 0) {
    if (errno == ENOTSUP) return found;
    return errno_status(errno, "listing extended attributes");
  }
  names.resize(static_cast<std::size_t>(names_size));
  for (std::size_t at = 0; at < names.size(); at = names.find('\0', at) + 1) {
    const std::string name = names.c_str() + at;
    if (!name.starts_with(kUserPrefix)) continue;
    std::string value(kMaxBytes, '\0');
    const ssize_t size = ::fgetxattr(file, name.c_str(), value.data(), value.size());
    if (size < 0) return errno_status(errno, "reading extended attribute " + name);
    found.emplace_back(name.substr(kUserPrefix.size()), value.substr(0, static_cast<std::size_t>(size)));
  }
  std::sort(found.begin(), found.end());
  return found;
}

Status write_user_metadata(int file, const std::vector<std::pair<std::string, std::string>>& metadata) {
  for (const auto& [name, value] : metadata) {
    const std::string full = std::string(kUserPrefix) + name;
    if (::fsetxattr(file, full.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (errno == ENOTSUP)
      return {Code::kUnimplemented, "its file system cannot hold the extended attribute " + full + "; use one that does"};
    if (errno == ENOSPC && has_room(file))
      return {Code::kInvalidArgument, "its file system has no room for an extended attribute as long as " + full + "; use one that has"};
    return errno_status(errno, "writing extended attribute " + full);
  }
  return Status::ok();
}

}  // namespace fermata::crr
