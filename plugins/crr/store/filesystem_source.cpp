#include "store/filesystem_source.hpp"

#include "files/directory_reader.hpp"
#include "files/xattr.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fermata::crr {
namespace {

bool has_directory(int root) {
  auto reader = DirectoryReader::open(root);
  if (!reader) return false;
  while (const auto* entry = reader->next())
    if (type_of(root, *entry) == DT_DIR) return true;
  return false;
}

/// A range of an open file. The file's reader outlives it.
class FilePart final : public ObjectReader {
 public:
  FilePart(int file, const std::string& path, const Cancellation& cancellation, const Part& part)
      : file_(file), path_(path), cancellation_(cancellation), at_(part.offset), end_(part.offset + part.size) {
    meta_.size = part.size;
  }

  const ObjectMeta& meta() const override { return meta_; }

  Result<std::size_t> read(std::span<char> buffer) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end_ - at_));
    while (true) {
      if (auto status = cancellation_.check(); !status) return status;
      const ssize_t count = ::pread(file_, buffer.data(), wanted, static_cast<off_t>(at_));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno_status(errno, "reading source " + path_);
      if (count == 0 && wanted > 0) return Status(Code::kAborted, "source " + path_ + " became shorter while it was copied");
      at_ += static_cast<std::uint64_t>(count);
      return static_cast<std::size_t>(count);
    }
  }

  Status check_unchanged() override { return Status::ok(); }  // the whole file's reader is asked
  Result<std::unique_ptr<ObjectReader>> open_part(const Part&) override {
    return Status(Code::kUnimplemented, "a part of a file has no parts");
  }

 private:
  const int file_;
  const std::string path_;
  const Cancellation& cancellation_;
  ObjectMeta meta_;
  std::uint64_t at_;
  const std::uint64_t end_;
};

class FilesystemReader final : public ObjectReader {
 public:
  FilesystemReader(ObjectId id, std::shared_ptr<const SourceRoot> root, const Cancellation& cancellation, Fd file, ObjectMeta meta,
                   std::string exact)
      : id_(std::move(id)),
        root_(std::move(root)),
        cancellation_(cancellation),
        file_(std::move(file)),
        meta_(std::move(meta)),
        exact_(std::move(exact)) {}

  const ObjectMeta& meta() const override { return meta_; }

  Result<std::size_t> read(std::span<char> buffer) override {
    while (true) {
      if (auto status = cancellation_.check(); !status) return status;
      const ssize_t count = ::read(file_.get(), buffer.data(), buffer.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      const int error = errno;
      if (error == EINTR) continue;
      const auto failure = errno_status(error, "reading source " + id_.path());
      // A sector of this file, most likely: if it is the whole disk, opening the root fails soon, too.
      return error == EIO ? Status(Code::kAborted, failure.message()) : failure;
    }
  }

  Status check_unchanged() override {
    const Status changed(Code::kAborted, "source " + id_.path() + " changed while it was copied");
    auto root = root_->open();
    if (!root) return root.status();
    const auto info = stat_beneath(root->get(), id_.path());
    if (!info) return info.status().code() == Code::kNotFound ? changed : info.status();
    return fingerprint(*info) == exact_ ? Status::ok() : changed;
  }

  Result<std::unique_ptr<ObjectReader>> open_part(const Part& part) override {
    return std::unique_ptr<ObjectReader>(std::make_unique<FilePart>(file_.get(), id_.path(), cancellation_, part));
  }

 private:
  const ObjectId id_;
  const std::shared_ptr<const SourceRoot> root_;
  const Cancellation& cancellation_;
  const Fd file_;
  const ObjectMeta meta_;
  const std::string exact_;  // fingerprint without the mark for a recent change
};

}  // namespace

SourceRoot::SourceRoot(std::string path, std::function<bool()> has_history)
    : path_(std::move(path)), has_history_(std::move(has_history)) {}

Result<Fd> SourceRoot::open() const {
  auto root = open_root(path_);
  struct stat info {};
  if (!root || ::fstat(root->get(), &info) != 0)
    return Status(Code::kUnavailable, "source root " + path_ + " is missing: create or mount it" +
                                          (root ? std::string() : " (" + root.status().message() + ")"));
  const Identity found{info.st_dev, info.st_ino};
  {
    const std::lock_guard lock(mutex_);
    if (identity_ == found) return root;
    if (identity_)
      return Status(Code::kUnavailable,
                    "source root " + path_ + " is another directory than before: mount it again, or restart if it was replaced on purpose");
  }
  if (!has_directory(root->get()) && has_history_())
    return Status(Code::kUnavailable, "source root " + path_ +
                                          " is empty although objects are known from it: mount it, or create a directory in it if "
                                          "everything was deleted on purpose");
  const std::lock_guard lock(mutex_);
  identity_ = found;
  return root;
}

Result<std::unique_ptr<ObjectReader>> FilesystemSource::open(const ObjectId& id, const std::string&) {
  if (auto status = check_relative_path(id.path()); !status) return status;
  auto root = root_->open();
  if (!root) return root.status();
  auto parent = open_parent(root->get(), id.path());
  if (!parent) return parent.status();
  Fd file(::openat(parent->directory.get(), parent->name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return errno_status(errno == ENXIO ? ENOENT : errno, "source " + id.path());
  struct stat info {};
  const std::int64_t now_ns = file_clock_ns();
  if (::fstat(file.get(), &info) != 0) return errno_status(errno, "source " + id.path());
  if (!S_ISREG(info.st_mode)) return Status(Code::kNotFound, "source " + id.path() + " is not a file");
  auto user_metadata = read_user_metadata(file.get());
  if (!user_metadata) return Status(user_metadata.status().code(), "source " + id.path() + ": " + user_metadata.status().message());
  ObjectMeta meta{static_cast<std::uint64_t>(info.st_size), to_ns(info.st_mtim), info.st_mode & 0777u, std::move(*user_metadata),
                  fingerprint_at(info, now_ns)};
  return std::unique_ptr<ObjectReader>(
      std::make_unique<FilesystemReader>(id, root_, cancellation_, std::move(file), std::move(meta), fingerprint(info)));
}

}  // namespace fermata::crr
