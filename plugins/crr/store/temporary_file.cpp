#include "store/temporary_file.hpp"

#include "files/directory_reader.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <random>

namespace fermata::crr {
namespace {

constexpr int kNameAttempts = 5;

std::string random_name() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string name(kTemporaryPrefix);
  for (int i = 0; i < 16; ++i) name += kDigits[random() % 16];
  return name;
}

bool lock(int file) { return ::flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; }

}  // namespace

Result<TemporaryFile> TemporaryFile::create(int directory) {
  for (int i = 0; i < kNameAttempts; ++i) {
    std::string name = random_name();
    Fd file(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file && errno == EEXIST) continue;
    if (!file) return errno_status(errno, "creating " + name);
    if (lock(file.get())) return TemporaryFile(directory, std::move(name), std::move(file));
  }
  return Status(Code::kUnavailable, "no name is free for a temporary file");
}

TemporaryFile::~TemporaryFile() {
  if (!name_.empty()) ::unlinkat(directory_, name_.c_str(), 0);
}

Status clean_temporaries(int directory) {
  auto reader = DirectoryReader::open(directory);
  if (!reader) return reader.status();
  while (const auto* entry = reader->next()) {
    const std::string name = entry->d_name;
    if (!name.starts_with(kTemporaryPrefix)) continue;
    const Fd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file && lock(file.get())) ::unlinkat(directory, name.c_str(), 0);
  }
  return Status::ok();
}

}  // namespace fermata::crr
