#include "journal/source_scan.hpp"

namespace fermata::crr {
namespace {

constexpr std::uint32_t kPageEntries = 500;

}  // namespace

SourceScan::SourceScan(const SourceRoot& root, const JournalIndex& index, Fd root_fd, std::string path, TreeWalk::Hooks hooks)
    : root_(root), index_(index), path_(std::move(path)) {
  walk_.emplace(std::move(root_fd), path_, std::move(hooks));
}

Result<bool> SourceScan::step(std::optional<Found>& found) {
  found.reset();
  if (!walk_) return step_index(found);
  TreeWalk::File file;
  switch (walk_->next(file)) {
    case TreeWalk::Step::kFile: found = Found{std::move(file.path), file.info}; break;
    case TreeWalk::Step::kOther: break;
    case TreeWalk::Step::kEnd: walk_.reset(); break;
  }
  return true;
}

Result<bool> SourceScan::step_index(std::optional<Found>& found) {
  if (next_in_page_ == page_.size()) {
    if (auto status = load_page(); !status) return status;
    if (page_.empty()) return false;
  }
  const std::string& path = page_[next_in_page_];
  const auto info = stat_beneath(root_fd_.get(), path);
  if (!info && info.status().retryable()) return info.status();
  const bool gone = info ? !S_ISREG(info->st_mode) : info.status().code() == Code::kNotFound;
  if (gone) found = Found{path, std::nullopt};
  ++next_in_page_;
  return true;
}

Status SourceScan::load_page() {
  auto root = root_.open();
  if (!root) return root.status();
  root_fd_ = std::move(*root);
  auto entries = index_.scan(path_.empty() ? path_ : path_ + "/", after_, kPageEntries);
  if (!entries) return entries.status();
  page_.clear();
  next_in_page_ = 0;
  for (auto& entry : *entries) page_.push_back(std::move(entry.first));
  if (!page_.empty()) after_ = page_.back();
  return Status::ok();
}

}  // namespace fermata::crr
