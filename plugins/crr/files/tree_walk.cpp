#include "files/tree_walk.hpp"

#include "text/text.hpp"

#include <fcntl.h>

namespace fermata::crr {

TreeWalk::TreeWalk(Fd root, std::string start, Hooks hooks) : root_(std::move(root)), hooks_(std::move(hooks)) {
  waiting_.push_back(std::move(start));
}

TreeWalk::Step TreeWalk::next(File& file) {
  if (!reader_) return open_next() ? Step::kOther : Step::kEnd;
  if (const auto* entry = reader_->next()) return visit(*entry, file);
  reader_.reset();
  return Step::kOther;
}

bool TreeWalk::open_next() {
  if (waiting_.empty()) return false;
  directory_ = std::move(waiting_.back());
  waiting_.pop_back();
  hooks_.on_directory(directory_);
  const auto fd = open_directory_beneath(root_.get(), directory_);
  auto reader = fd ? DirectoryReader::open(fd->get()) : Result<DirectoryReader>(fd.status());
  if (reader) {
    reader_.emplace(std::move(*reader));
  } else if (reader.status().code() != Code::kNotFound) {
    hooks_.on_skipped(directory_, reader.status().message());
  }
  return true;
}

TreeWalk::Step TreeWalk::visit(const dirent& entry, File& file) {
  const std::string_view name = entry.d_name;
  if (name.starts_with(kTemporaryPrefix)) return Step::kOther;
  std::string path = directory_.empty() ? std::string(name) : directory_ + "/" + std::string(name);
  const auto skip = [this, &path](std::string_view reason) {
    hooks_.on_skipped(path, reason);
    return Step::kOther;
  };
  const unsigned char type = type_of(reader_->fd(), entry);
  if (type == DT_DIR) {
    if (!text::is_utf8(name)) return skip("its name is not UTF-8");
    waiting_.push_back(std::move(path));
    return Step::kOther;
  }
  if (type == DT_UNKNOWN) return Step::kOther;  // it is gone
  if (type != DT_REG) return skip("it is neither a file nor a directory");
  if (const auto reason = why_no_object(path); !reason.empty()) return skip(reason);
  if (::fstatat(reader_->fd(), entry.d_name, &file.info, AT_SYMLINK_NOFOLLOW) != 0) return Step::kOther;
  file.path = std::move(path);
  return Step::kFile;
}

}  // namespace fermata::crr
