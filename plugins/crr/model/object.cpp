#include "model/object.hpp"

#include "text/text.hpp"

namespace fermata::crr {

Result<ObjectId> parse_object_path(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size())
    return Status(Code::kInvalidArgument, "'" + std::string(path) + "' is not <bucket>/<key>");
  return ObjectId{std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

std::string_view why_no_object(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return "it lies beside the buckets, in none";
  if (path.substr(path.rfind('/') + 1).starts_with(kTemporaryPrefix)) return "its name is reserved for temporary files";
  if (path.size() - slash - 1 > kMaxKeyBytes) return "its key is longer than 3,072 bytes";
  if (!text::is_utf8(path)) return "its name is not UTF-8";
  return {};
}

}  // namespace fermata::crr
