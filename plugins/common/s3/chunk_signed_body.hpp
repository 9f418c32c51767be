#pragma once

#include "http/client.hpp"
#include "s3/sigv4.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fermata::s3 {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// A body in signed chunks of 64 KiB, as STREAMING-AWS4-HMAC-SHA256-PAYLOAD wants them, made as it is read.
/// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
///
/// Threads: one at a time. Errors: those of the body; kInvalidArgument if it is not of the length that was announced.
class ChunkSignedBody final : public http::BodySource {
 public:
  static constexpr std::size_t kChunk = 64 * 1024;

  /// Bytes on the wire for a body of `size` bytes.
  static std::uint64_t encoded_length(std::uint64_t size);

  /// @param body  borrowed. @param size  exact.
  ChunkSignedBody(http::BodySource& body, std::uint64_t size, ChunkSigner signer);

  Result<std::size_t> read(std::span<char> buffer) override;
  bool rewind() override;

 private:
  /// Puts the next chunk into `encoded_`.
  Status next_chunk();
  /// Fills `data_` with the next `size` bytes of the body.
  Status fill(std::size_t size);

  http::BodySource& body_;
  const std::uint64_t size_;
  ChunkSigner signer_;
  std::uint64_t left_;
  bool ended_ = false;
  std::vector<char> data_;
  std::string encoded_;
  std::size_t at_ = 0;  // of encoded_, what was read already
};

}  // namespace fermata::s3
