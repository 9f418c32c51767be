#pragma once

#include "files/posix.hpp"
#include "journal/directory_watcher.hpp"

#include <sys/inotify.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace fermata::crr {

/// Linux's inotify. Memory: some 200 bytes per directory.
class InotifyWatcher final : public DirectoryWatcher {
 public:
  /// @param root  directory that all paths are relative to. kResourceExhausted: no more inotify instances, and how to
  ///              raise the limit.
  static Result<std::unique_ptr<DirectoryWatcher>> create(std::string root);

  int fd() const override { return inotify_.get(); }
  Status watch(const std::string& path) override;
  std::vector<Change> read() override;

 private:
  InotifyWatcher(std::string root, Fd inotify) : root_(std::move(root)), inotify_(std::move(inotify)) {}

  std::optional<Change> translate(const inotify_event& event);
  std::optional<Change> translate_directory(const inotify_event& event, std::string path);
  void forget(int watch);
  void forget_tree(const std::string& path);

  const std::string root_;
  const Fd inotify_;
  std::unordered_map<int, std::string> paths_;
  std::map<std::string, int> watches_;  // by path
};

}  // namespace fermata::crr
