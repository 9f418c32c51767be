#include "store/reader_body.hpp"

namespace fermata::crr {

Result<std::size_t> ReaderBody::read(std::span<char> buffer) {
  const auto count = reader_.read(buffer);
  if (!count) return count;
  if (checksum_ != nullptr) checksum_->update(buffer.first(*count));
  sent_ += *count;
  if (*count == 0 || sent_ >= reader_.meta().size)
    if (auto status = reader_.check_unchanged(); !status) return status;
  return count;
}

}  // namespace fermata::crr
