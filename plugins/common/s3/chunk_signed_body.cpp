#include "s3/chunk_signed_body.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace fermata::s3 {

namespace {

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr};
}

std::uint64_t encoded_chunk_length(std::uint64_t size) {
  constexpr std::string_view kFrame = ";chunk-signature=\r\n\r\n";
  return hexadecimal(size).size() + kFrame.size() + 64 + size;
}

}  // namespace

std::uint64_t ChunkSignedBody::encoded_length(std::uint64_t size) {
  const std::uint64_t rest = size % kChunk;
  return size / kChunk * encoded_chunk_length(kChunk) + (rest > 0 ? encoded_chunk_length(rest) : 0) + encoded_chunk_length(0);
}

ChunkSignedBody::ChunkSignedBody(http::BodySource& body, std::uint64_t size, ChunkSigner signer)
    : body_(body), size_(size), signer_(std::move(signer)), left_(size), data_(std::min<std::uint64_t>(size, kChunk)) {}

Result<std::size_t> ChunkSignedBody::read(std::span<char> buffer) {
  if (at_ == encoded_.size() && !ended_) {
    if (Status status = next_chunk(); !status) return status;
  }
  const std::size_t size = encoded_.copy(buffer.data(), buffer.size(), at_);
  at_ += size;
  return size;
}

bool ChunkSignedBody::rewind() {
  if (!body_.rewind()) return false;
  signer_.restart();
  left_ = size_;
  ended_ = false;
  encoded_.clear();
  at_ = 0;
  return true;
}

Status ChunkSignedBody::next_chunk() {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kChunk));
  if (Status status = fill(size); !status) return status;
  left_ -= size;
  ended_ = size == 0;
  const std::string_view chunk(data_.data(), size);
  encoded_ = hexadecimal(size);
  encoded_.append(";chunk-signature=").append(signer_.sign(chunk)).append("\r\n").append(chunk).append("\r\n");
  at_ = 0;
  return {};
}

Status ChunkSignedBody::fill(std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    const Result<std::size_t> got = body_.read(std::span(data_).subspan(filled, size - filled));
    if (!got) return got.status();
    if (*got == 0) return {Code::kInvalidArgument, "the body is shorter than the length that was announced"};
    filled += *got;
  }
  if (size > 0) return {};
  char one = 0;
  const Result<std::size_t> more = body_.read({&one, 1});
  if (!more) return more.status();
  return *more == 0 ? Status::ok() : Status{Code::kInvalidArgument, "the body is longer than the length that was announced"};
}

}  // namespace fermata::s3
