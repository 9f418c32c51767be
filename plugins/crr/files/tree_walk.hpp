#pragma once

#include "files/directory_reader.hpp"
#include "files/posix.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// Walks the regular files below a directory of the source, one entry a step, in no particular order, holding one
/// directory open and the names of those still to be read. Threads: one at a time.
class TreeWalk {
 public:
  struct Hooks {
    /// A directory is about to be read.
    std::function<void(const std::string& path)> on_directory;
    /// An entry is passed over: no file, no fit name, or not readable.
    std::function<void(const std::string& path, std::string_view reason)> on_skipped;
  };
  struct File {
    std::string path;
    struct stat info;
  };
  enum class Step { kFile, kOther, kEnd };

  /// @param start  relative to the root, empty for all buckets.
  TreeWalk(Fd root, std::string start, Hooks hooks);

  /// Looks at one more entry; `file` is set when it returns kFile.
  Step next(File& file);

 private:
  bool open_next();
  Step visit(const dirent& entry, File& file);

  Fd root_;
  Hooks hooks_;
  std::vector<std::string> waiting_;  // directories still to be read
  std::optional<DirectoryReader> reader_;
  std::string directory_;  // being read
};

}  // namespace fermata::crr
