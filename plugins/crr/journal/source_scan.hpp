#pragma once

#include "files/tree_walk.hpp"
#include "journal/journal_index.hpp"
#include "store/filesystem_source.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fermata::crr {

/// Looks at a whole directory of the source, a step at a time: first at every file in it, then at every object that the
/// index knows below it, to find those that are gone. Memory: a page of the index and what TreeWalk holds.
/// Threads: one at a time.
class SourceScan {
 public:
  struct Found {
    std::string path;
    std::optional<struct stat> info;  ///< nullopt: the object is gone
  };

  /// @param root, index  borrowed; outlive this. @param path  of the directory; empty: the whole source.
  SourceScan(const SourceRoot& root, const JournalIndex& index, Fd root_fd, std::string path, TreeWalk::Hooks hooks);

  /// One step; `found` is set when there is something to look at. @return false at the end; an error leaves the scan where
  /// it is, to be tried again.
  Result<bool> step(std::optional<Found>& found);

  bool is_full() const { return path_.empty(); }

 private:
  Result<bool> step_index(std::optional<Found>& found);
  Status load_page();

  const SourceRoot& root_;
  const JournalIndex& index_;
  const std::string path_;
  std::optional<TreeWalk> walk_;  // until every file was seen
  Fd root_fd_;                    // for the page in hand
  std::vector<std::string> page_;
  std::size_t next_in_page_ = 0;
  std::string after_;
};

}  // namespace fermata::crr
