#include "config/read_file.hpp"

#include <array>
#include <filesystem>
#include <fstream>

namespace fermata::config {

Result<std::string> read_file(const std::string& file, std::size_t max_bytes) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) return Status(Code::kNotFound, error ? error.message() : "No such file or directory");
  if (!std::filesystem::is_regular_file(status)) return Status(Code::kInvalidArgument, "it is not a regular file");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return Status(Code::kPermissionDenied, "it cannot be opened; check its permissions");
  std::string text;
  std::array<char, 16'384> chunk;
  do {
    stream.read(chunk.data(), chunk.size());
    text.append(chunk.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > max_bytes) return Status(Code::kOutOfRange, "it is larger than " + std::to_string(max_bytes >> 10) + " KiB");
  } while (stream);
  if (stream.bad()) return Status(Code::kInternal, "it cannot be read to its end");
  return text;
}

}  // namespace fermata::config
