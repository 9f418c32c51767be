#pragma once

#include "http/connection.hpp"

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <cstdint>
#include <memory>
#include <optional>

namespace fermata::http {

/// Reads one answer from a connection: the head, then the body piece by piece. The syntax is Beast's business.
///
/// Threads: one at a time.
/// Errors:  kUnavailable: cut off, timed out, or not HTTP.
class Answer {
 public:
  static constexpr std::uint32_t kMaxHead = 64 * 1024;

  /// @param bodiless  the answer to a HEAD.
  explicit Answer(bool bodiless) : bodiless_(bodiless) {}

  /// Reads the head, and passes over those that are only provisional (100 Continue and the like) unless `provisional` is
  /// true: then one of them is returned as well, and the next call reads on.
  Status read_head(Connection& connection, Deadline deadline, bool provisional = false);
  /// The next bytes of the body; 0 at its end.
  Result<std::size_t> read_body(Connection& connection, std::span<char> buffer, Deadline deadline);

  int status() const { return status_; }
  bool provisional() const { return status_ < 200; }
  const Headers& headers() const { return headers_; }
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  /// All of it was read.
  bool complete() const { return framing_ == Framing::kNone; }
  /// Bytes of the body that are still to come, if that is known.
  std::optional<std::uint64_t> remaining() const;
  /// The server agrees to go on with the same connection.
  bool keep_alive() const { return keep_alive_; }

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::buffer_body>;
  enum class Framing { kNone, kLength, kChunked, kUntilEnd };

  Status parse_head(Connection& connection, Deadline deadline);
  void take_head();
  Result<std::size_t> read_plain(Connection& connection, std::span<char> buffer, Deadline deadline);
  Result<std::size_t> read_chunked(Connection& connection, std::span<char> buffer, Deadline deadline);

  const bool bodiless_;
  std::unique_ptr<Parser> parser_;
  int status_ = 0;
  Headers headers_;
  std::optional<std::uint64_t> content_length_;
  Framing framing_ = Framing::kNone;
  std::uint64_t remaining_ = 0;
  bool keep_alive_ = false;
};

}  // namespace fermata::http
