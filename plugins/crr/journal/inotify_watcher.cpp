#include "journal/inotify_watcher.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace fermata::crr {
namespace {

constexpr std::uint32_t kMask =
    IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;

Status limit_reached(std::string_view what, std::string_view sysctl, std::string_view value) {
  return {Code::kResourceExhausted, "the system's limit of inotify " + std::string(what) + " is reached: raise it with sysctl -w " +
                                        std::string(sysctl) + "=" + std::string(value)};
}

}  // namespace

Result<std::unique_ptr<DirectoryWatcher>> InotifyWatcher::create(std::string root) {
  Fd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify && errno == EMFILE) return limit_reached("instances", "fs.inotify.max_user_instances", "1024");
  if (!inotify) return errno_status(errno, "inotify");
  return std::unique_ptr<DirectoryWatcher>(new InotifyWatcher(std::move(root), std::move(inotify)));
}

Status InotifyWatcher::watch(const std::string& path) {
  const std::string full = path.empty() ? root_ : root_ + "/" + path;
  // The root itself may be a symbolic link.
  const int id =
      ::inotify_add_watch(inotify_.get(), full.c_str(), path.empty() ? kMask & ~static_cast<std::uint32_t>(IN_DONT_FOLLOW) : kMask);
  if (id < 0 && errno == ENOSPC) return limit_reached("watches", "fs.inotify.max_user_watches", "1048576");
  if (id < 0) return errno_status(errno, "watching " + full);
  if (const auto known = paths_.find(id); known != paths_.end() && known->second != path) forget(id);  // it moved
  if (const auto old = watches_.find(path); old != watches_.end() && old->second != id) forget(old->second);
  paths_[id] = path;
  watches_[path] = id;
  return Status::ok();
}

std::vector<Change> InotifyWatcher::read() {
  std::vector<Change> changes;
  alignas(inotify_event) std::array<char, 64u << 10> buffer;
  const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
  for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size);) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
    if (auto change = translate(*event)) changes.push_back(std::move(*change));
    at += sizeof(inotify_event) + event->len;
  }
  return changes;
}

std::optional<Change> InotifyWatcher::translate(const inotify_event& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) return Change{Change::Kind::kLost, ""};
  const auto directory = paths_.find(event.wd);
  if (directory == paths_.end()) return std::nullopt;
  if ((event.mask & (IN_IGNORED | IN_UNMOUNT)) != 0) {
    const bool all_lost = directory->second.empty() || (event.mask & IN_UNMOUNT) != 0;
    forget(event.wd);
    return all_lost ? std::optional(Change{Change::Kind::kLost, ""}) : std::nullopt;
  }
  if (event.len == 0) return std::nullopt;
  const std::string name = event.name;
  std::string path = directory->second.empty() ? name : directory->second + "/" + name;
  if ((event.mask & IN_ISDIR) != 0) return translate_directory(event, std::move(path));
  if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) return Change{Change::Kind::kGone, std::move(path)};
  const bool complete = (event.mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0;
  return Change{complete ? Change::Kind::kWritten : Change::Kind::kTouched, std::move(path)};
}

std::optional<Change> InotifyWatcher::translate_directory(const inotify_event& event, std::string path) {
  if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
    forget_tree(path);
    return Change{Change::Kind::kDirectoryWent, std::move(path)};
  }
  if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) return Change{Change::Kind::kDirectoryCame, std::move(path)};
  return std::nullopt;
}

void InotifyWatcher::forget(int watch) {
  const auto known = paths_.find(watch);
  if (known == paths_.end()) return;
  if (const auto by_path = watches_.find(known->second); by_path != watches_.end() && by_path->second == watch) watches_.erase(by_path);
  paths_.erase(known);
}

void InotifyWatcher::forget_tree(const std::string& path) {
  const auto drop = [this](std::map<std::string, int>::iterator entry) {
    ::inotify_rm_watch(inotify_.get(), entry->second);
    paths_.erase(entry->second);
    return watches_.erase(entry);
  };
  if (const auto self = watches_.find(path); self != watches_.end()) drop(self);
  const std::string prefix = path + "/";
  for (auto entry = watches_.lower_bound(prefix); entry != watches_.end() && entry->first.starts_with(prefix);) entry = drop(entry);
}

}  // namespace fermata::crr
