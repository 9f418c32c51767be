#include "http/answer.hpp"

#include <algorithm>
#include <cstring>

namespace fermata::http {

namespace beast = boost::beast;

namespace {

Status malformed(const beast::error_code& error) { return {Code::kUnavailable, "the server's answer is malformed: " + error.message()}; }

Status cut_off() { return {Code::kUnavailable, "the answer was cut off"}; }

}  // namespace

Status Answer::read_head(Connection& connection, Deadline deadline, bool provisional) {
  do {
    if (Status status = parse_head(connection, deadline); !status) return status;
    take_head();
  } while (this->provisional() && !provisional);
  return {};
}

Status Answer::parse_head(Connection& connection, Deadline deadline) {
  parser_ = std::make_unique<Parser>();
  parser_->header_limit(kMaxHead);
  parser_->body_limit(boost::none);
  parser_->skip(bodiless_);
  while (true) {
    beast::error_code error;
    if (!connection.input().empty()) connection.use(parser_->put(boost::asio::buffer(connection.input()), error));
    if (error == beast::http::error::header_limit) return {Code::kUnavailable, "the head of the answer is over 64 KiB"};
    if (error && error != beast::http::error::need_more) return malformed(error);
    if (parser_->is_header_done()) return {};
    const Result<bool> more = connection.fill(deadline);
    if (!more) return more.status();
    if (!*more) return {Code::kUnavailable, "the server closed the connection without an answer"};
  }
}

void Answer::take_head() {
  const auto& head = parser_->get();
  status_ = static_cast<int>(head.result_int());
  headers_.clear();
  for (const auto& field : head) headers_.emplace_back(field.name_string(), field.value());
  const auto length = parser_->content_length();
  content_length_ = length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  remaining_ = content_length_.value_or(0);
  keep_alive_ = parser_->keep_alive() && status_ != 101;
  framing_ = Framing::kNone;
  if (parser_->is_done() || (content_length_ && remaining_ == 0)) return;
  framing_ = parser_->chunked() ? Framing::kChunked : content_length_ ? Framing::kLength : Framing::kUntilEnd;
}

std::optional<std::uint64_t> Answer::remaining() const {
  if (framing_ == Framing::kNone || framing_ == Framing::kLength) return framing_ == Framing::kNone ? 0 : remaining_;
  return std::nullopt;
}

Result<std::size_t> Answer::read_body(Connection& connection, std::span<char> buffer, Deadline deadline) {
  if (complete() || buffer.empty()) return std::size_t{0};
  return framing_ == Framing::kChunked ? read_chunked(connection, buffer, deadline) : read_plain(connection, buffer, deadline);
}

Result<std::size_t> Answer::read_plain(Connection& connection, std::span<char> buffer, Deadline deadline) {
  if (framing_ == Framing::kLength) buffer = buffer.first(std::min<std::uint64_t>(buffer.size(), remaining_));
  std::size_t size = std::min(connection.input().size(), buffer.size());
  if (size > 0) {
    std::memcpy(buffer.data(), connection.input().data(), size);
    connection.use(size);
  } else {
    const Result<std::size_t> got = connection.read(buffer, deadline);
    if (!got) return got;
    size = *got;
  }
  if (framing_ == Framing::kLength) {
    if (size == 0) return cut_off();
    remaining_ -= size;
    if (remaining_ == 0) framing_ = Framing::kNone;
  } else if (size == 0) {
    framing_ = Framing::kNone;
  }
  return size;
}

Result<std::size_t> Answer::read_chunked(Connection& connection, std::span<char> buffer, Deadline deadline) {
  auto& body = parser_->get().body();
  while (true) {
    body.data = buffer.data();
    body.size = buffer.size();
    body.more = true;
    beast::error_code error;
    const std::size_t used = connection.input().empty() ? 0 : parser_->put(boost::asio::buffer(connection.input()), error);
    connection.use(used);
    if (error && error != beast::http::error::need_more && error != beast::http::error::need_buffer) return malformed(error);
    if (parser_->is_done()) framing_ = Framing::kNone;
    const std::size_t size = buffer.size() - body.size;
    if (size > 0 || complete()) return size;
    if (used > 0 && !connection.input().empty()) continue;
    const Result<bool> more = connection.fill(deadline);
    if (!more) return more.status();
    if (!*more) return cut_off();
  }
}

}  // namespace fermata::http
