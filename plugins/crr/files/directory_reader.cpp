#include "files/directory_reader.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace fermata::crr {

Result<DirectoryReader> DirectoryReader::open(int directory) {
  Fd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* stream = copy ? ::fdopendir(copy.get()) : nullptr;
  if (stream == nullptr) return errno_status(errno, "reading a directory");
  copy.release();
  return DirectoryReader(stream);
}

const dirent* DirectoryReader::next() {
  while (const dirent* entry = ::readdir(stream_.get()))
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) return entry;
  return nullptr;
}

unsigned char type_of(int directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;
  struct stat info {};
  if (::fstatat(directory, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  return static_cast<unsigned char>(IFTODT(info.st_mode));
}

}  // namespace fermata::crr
