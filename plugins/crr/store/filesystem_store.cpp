#include "store/filesystem_store.hpp"

#include "files/directory_reader.hpp"
#include "files/xattr.hpp"
#include "store/checksum.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <vector>

namespace fermata::crr {
namespace {

constexpr std::size_t kBufferBytes = 128u << 10;
constexpr mode_t kDirectoryMode = 0755;

/// Something that is no directory stands where one must be, or the reverse.
Status in_the_way(const std::string& name) { return {Code::kAlreadyExists, name + " is in the way"}; }

Status sync(int fd) { return ::fsync(fd) == 0 ? Status::ok() : errno_status(errno, "syncing to disk"); }

Status write_all(int fd, std::span<const char> data) {
  while (!data.empty()) {
    const ssize_t count = ::write(fd, data.data(), data.size());
    if (count < 0 && errno != EINTR) return errno_status(errno, "writing");
    if (count > 0) data = data.subspan(static_cast<std::size_t>(count));
  }
  return Status::ok();
}

Result<ObjectStore::Stored> copy_content(ObjectReader& source, int file) {
  std::vector<char> buffer(std::min<std::size_t>(kBufferBytes, source.meta().size + 1));
  Checksum checksum;
  ObjectStore::Stored stored;
  while (true) {
    const auto count = source.read(buffer);
    if (!count) return count.status();
    if (*count == 0) break;
    const std::span<const char> data(buffer.data(), *count);
    checksum.update(data);
    if (auto status = write_all(file, data); !status) return status;
    stored.bytes += *count;
  }
  if (stored.bytes != source.meta().size) return Status(Code::kAborted, "the source changed its size while it was copied");
  stored.etag = checksum.finish();
  return stored;
}

Status write_meta(int file, const ObjectMeta& meta) {
  auto user_metadata = meta.user_metadata;
  if (!meta.version_id.empty()) user_metadata.emplace_back(kVersionMark, meta.version_id);
  if (auto status = write_user_metadata(file, user_metadata); !status) return status;
  if (::fchmod(file, meta.mode) != 0) return errno_status(errno, "setting the mode");
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t fraction = ((meta.mtime_ns % kSecond) + kSecond) % kSecond;
  const timespec times[] = {{0, UTIME_OMIT}, {(meta.mtime_ns - fraction) / kSecond, fraction}};
  return ::futimens(file, times) == 0 ? Status::ok() : errno_status(errno, "setting the modification time");
}

/// Reads the synced file back, from the disk rather than from memory where the system allows it.
Status verify(int file, const ObjectStore::Stored& stored, const Cancellation& cancellation) {
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  std::vector<char> buffer(std::min<std::size_t>(kBufferBytes, stored.bytes + 1));
  Checksum checksum;
  std::uint64_t size = 0;
  while (true) {
    if (auto status = cancellation.check(); !status) return status;
    const ssize_t count = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_status(errno, "reading the copy back");
    if (count == 0) break;
    checksum.update({buffer.data(), static_cast<std::size_t>(count)});
    size += static_cast<std::uint64_t>(count);
  }
  if (size == stored.bytes && checksum.finish() == stored.etag) return Status::ok();
  return {Code::kAborted, "the copy differs from what was written when read back; the disk may be failing"};
}

/// Opens directory `name` in `directory`, making it if it is not there. kAlreadyExists if something else is there.
Result<Fd> open_or_make(int directory, const std::string& name) {
  auto found = open_directory_at(directory, name);
  if (found || found.status().code() != Code::kNotFound) return found;
  const bool made = ::mkdirat(directory, name.c_str(), kDirectoryMode) == 0;
  if (!made && errno != EEXIST) return errno_status(errno, "making directory " + name);
  if (made)
    if (auto status = sync(directory); !status) return status;
  found = open_directory_at(directory, name);
  if (!found && found.status().code() == Code::kNotFound) return in_the_way(name);
  return found;
}

/// The directory that `key` belongs in, made where missing. @param clear  removes what is in the way.
Result<Parent> make_parent(int bucket, std::string_view key, bool clear) {
  auto current = open_directory_beneath(bucket, {});
  while (current) {
    const std::size_t slash = key.find('/');
    const std::string name(key.substr(0, slash));
    if (slash == std::string_view::npos) return Parent{std::move(*current), name};
    auto next = open_or_make(current->get(), name);
    if (!next && next.status().code() == Code::kAlreadyExists && clear && ::unlinkat(current->get(), name.c_str(), 0) == 0)
      next = open_or_make(current->get(), name);
    current = std::move(next);
    key.remove_prefix(slash + 1);
  }
  return current.status();
}

Status remove_tree(const Parent& at) {
  const std::string path = "/proc/self/fd/" + std::to_string(at.directory.get()) + "/" + at.name;
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? errno_status(error.value(), "removing directory " + at.name) : Status::ok();
}

Status rename_into(const TemporaryFile& file, const Parent& to, bool clear) {
  if (::renameat(file.directory(), file.name().c_str(), to.directory.get(), to.name.c_str()) == 0) return Status::ok();
  if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST) return errno_status(errno, "renaming into place");
  if (!clear) return in_the_way(to.name);
  if (auto status = remove_tree(to); !status) return status;
  return rename_into(file, to, false);
}

/// Removes the file of `key` and the directories that are empty without it, up to the bucket.
/// @return the directory that lost an entry, to be synced; none if there was no such file.
Result<Fd> unlink_and_prune(int bucket, std::string_view key) {
  auto parent = open_parent(bucket, key);
  if (!parent) return parent.status().code() == Code::kNotFound ? Result<Fd>(Fd()) : parent.status();
  if (::unlinkat(parent->directory.get(), parent->name.c_str(), 0) != 0) {
    // A directory of this name holds other objects: there is no object to remove.
    if (errno == ENOENT || errno == EISDIR) return Fd();
    return errno_status(errno, "removing");
  }
  while (true) {
    Fd changed = std::move(parent->directory);
    const std::size_t slash = key.rfind('/');
    if (slash == std::string_view::npos) return changed;
    key = key.substr(0, slash);
    parent = open_parent(bucket, key);
    if (!parent) return parent.status();
    if (::unlinkat(parent->directory.get(), parent->name.c_str(), AT_REMOVEDIR) != 0) return changed;
  }
}

/// Makes the file visible. kAlreadyExists: something is in the way and `clear` is not set.
Status try_publish(int bucket, const ObjectId& id, TemporaryFile& file, ObjectReader& source, bool clear, Fd& directory) {
  if (auto status = source.check_unchanged(); !status) return status;
  auto parent = make_parent(bucket, id.key, clear);
  if (!parent) return parent.status();
  if (auto status = rename_into(file, *parent, clear); !status) return status;
  file.published();
  directory = std::move(parent->directory);
  return Status::ok();
}

}  // namespace

FilesystemStore::FilesystemStore(std::string location, std::string root_path, const Cancellation& cancellation)
    : location_(std::move(location)), root_path_(std::move(root_path)), cancellation_(cancellation) {}

Result<ObjectStore::Stored> FilesystemStore::put(const ObjectId& id, ObjectReader& source) {
  if (auto status = check_relative_path(id.path()); !status) return status;
  auto bucket = open_bucket(id.bucket);
  if (!bucket) return bucket.status();
  auto file = TemporaryFile::create(bucket->get());
  if (!file) return explain(file.status(), id);
  auto stored = copy_content(source, file->fd());
  if (!stored) return explain(stored.status(), id);
  if (auto status = write_meta(file->fd(), source.meta()); !status) return explain(status, id);
  if (auto status = sync(file->fd()); !status) return explain(status, id);
  if (auto status = verify(file->fd(), *stored, cancellation_); !status) return explain(status, id);
  if (auto status = publish(bucket->get(), id, *file, source); !status) return explain(status, id);
  return stored;
}

Status FilesystemStore::publish(int bucket, const ObjectId& id, TemporaryFile& file, ObjectReader& source) {
  Fd directory;
  Status status;
  {
    const std::shared_lock lock(publishing_);
    status = try_publish(bucket, id, file, source, false, directory);
  }
  if (status.code() == Code::kAlreadyExists) {
    const std::unique_lock lock(publishing_);
    status = try_publish(bucket, id, file, source, true, directory);
  }
  return status ? sync(directory.get()) : status;
}

Result<std::string> FilesystemStore::remove(const ObjectId& id, const std::function<Status()>& still_gone) {
  if (auto status = check_relative_path(id.path()); !status) return status;
  auto root = open_target_root();
  if (!root) return root.status();
  auto bucket = open_directory_at(root->get(), id.bucket);
  if (!bucket && bucket.status().code() == Code::kNotFound) return std::string();
  if (!bucket) return explain(bucket.status(), id);
  Result<Fd> changed = Fd();
  {
    const std::unique_lock lock(publishing_);
    if (auto status = still_gone(); !status) return status;
    changed = unlink_and_prune(bucket->get(), id.key);
  }
  if (!changed) return explain(changed.status(), id);
  if (*changed)
    if (auto status = sync(changed->get()); !status) return status;
  return std::string();
}

Result<bool> FilesystemStore::has(const ObjectId& id, const ObjectMeta& meta) {
  if (auto status = check_relative_path(id.path()); !status) return status;
  auto root = open_target_root();
  if (!root) return root.status();
  const auto info = stat_beneath(root->get(), id.path());
  if (!info && info.status().code() == Code::kNotFound) return false;
  if (!info) return explain(info.status(), id);
  return S_ISREG(info->st_mode) && static_cast<std::uint64_t>(info->st_size) == meta.size && to_ns(info->st_mtim) == meta.mtime_ns;
}

Result<TargetObject> FilesystemStore::latest(const ObjectId& id) {
  if (auto status = check_relative_path(id.path()); !status) return status;
  auto root = open_target_root();
  if (!root) return root.status();
  auto parent = open_parent(root->get(), id.path());
  if (!parent && parent.status().code() == Code::kNotFound) return TargetObject{};
  if (!parent) return explain(parent.status(), id);
  const Fd file(::openat(parent->directory.get(), parent->name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return TargetObject{};
  if (!file) return explain(errno_status(errno, "opening"), id);
  const auto metadata = read_user_metadata(file.get());
  if (!metadata) return explain(metadata.status(), id);
  TargetObject found{TargetObject::Kind::kObject};
  for (const auto& [name, value] : *metadata)
    if (name == kVersionMark) found.source_version = value;
  return found;
}

Result<std::vector<TargetObject>> FilesystemStore::history(const ObjectId& id) {
  auto now = latest(id);
  if (!now) return now.status();
  if (now->kind == TargetObject::Kind::kNothing) return std::vector<TargetObject>();
  return std::vector<TargetObject>{std::move(*now)};
}

Status FilesystemStore::remove_version(const ObjectId& id, const std::string& source_version, const std::string&) {
  const auto now = latest(id);
  if (!now) return now.status();
  if (now->kind != TargetObject::Kind::kObject || now->source_version != source_version) return Status::ok();
  return remove(id, [] { return Status::ok(); }).status();
}

Status FilesystemStore::put_tags(const ObjectId&, const std::string&, const Tags&) { return Status::ok(); }

Status FilesystemStore::check() {
  auto root = open_target_root();
  if (!root) return root.status();
  if (::faccessat(root->get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
    return {Code::kUnavailable,
            errno_status(errno, "target root " + root_path_ + " of location " + location_ + " cannot be written to").message()};
  return Status::ok();
}

Status FilesystemStore::clean() {
  auto root = open_target_root();
  if (!root) return root.status();
  auto buckets = DirectoryReader::open(root->get());
  if (!buckets) return buckets.status();
  while (const auto* entry = buckets->next()) {
    const auto bucket = open_directory_at(root->get(), entry->d_name);
    if (!bucket) continue;
    if (auto status = clean_temporaries(bucket->get()); !status) return status;
  }
  return Status::ok();
}

Result<Fd> FilesystemStore::open_target_root() const {
  auto root = open_root(root_path_);
  if (root) return root;
  const bool missing = root.status().code() == Code::kNotFound;
  return Status(Code::kUnavailable, "target root " + root_path_ + " of location " + location_ +
                                        (missing ? " is missing: mount or create it" : " cannot be opened: " + root.status().message()));
}

Result<Fd> FilesystemStore::open_bucket(const std::string& bucket) const {
  auto root = open_target_root();
  if (!root) return root;
  auto directory = open_or_make(root->get(), bucket);
  if (!directory && directory.status().code() == Code::kAlreadyExists)
    return Status(Code::kFailedPrecondition,
                  "bucket " + bucket + " of location " + location_ + " is no directory in " + root_path_ + ": remove what stands there");
  if (!directory) return explain(directory.status(), {bucket, ""});
  return directory;
}

Status FilesystemStore::explain(const Status& status, const ObjectId& id) const {
  const Code code = status.code() == Code::kNotFound || status.code() == Code::kAlreadyExists ? Code::kAborted : status.code();
  return {code, id.path() + " to location " + location_ + ": " + status.message()};
}

}  // namespace fermata::crr
