#include "http/exchange.hpp"

#include <algorithm>

namespace fermata::http {

namespace {

constexpr std::uint64_t kContinueFrom = 1024 * 1024;  // a body over this is worth asking first

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != ':'; });
}

bool stays_on_its_line(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos; }

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b,
                            [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == (y >= 'A' && y <= 'Z' ? y + 32 : y); });
}

bool has_header(const Headers& headers, std::string_view name) {
  return std::ranges::any_of(headers, [name](const auto& header) { return same_name(header.first, name); });
}

void add_line(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

/// Methods whose request is expected to tell the length of its body even if it has none.
bool carries_body(const Request& request) {
  return request.body != nullptr || request.content_length > 0 || request.method == "PUT" || request.method == "POST";
}

}  // namespace

Status check(const Request& request) {
  if (!is_token(request.method)) return {Code::kInvalidArgument, "'" + request.method + "' is no HTTP method"};
  const bool plain = std::ranges::all_of(request.target, [](char c) { return c > ' ' && c != '\x7f'; });
  if (!request.target.starts_with('/') || !plain)
    return {Code::kInvalidArgument, "a request's target must be percent-encoded and begin with /"};
  for (const auto& [name, value] : request.headers) {
    const bool ours = same_name(name, "Content-Length") || same_name(name, "Transfer-Encoding");
    if (ours || !is_token(name) || !stays_on_its_line(value)) return {Code::kInvalidArgument, "header '" + name + "' cannot be sent"};
  }
  if (request.body == nullptr && request.content_length > 0)
    return {Code::kInvalidArgument, "a length was announced, but there is no body"};
  return {};
}

Exchange::Exchange(Pool& pool, Connection& connection, const Request& request)
    : pool_(pool),
      connection_(connection),
      request_(request),
      sent_before_(connection.bytes_sent()),
      received_before_(connection.bytes_received()),
      body_left_(request.content_length) {}

std::string Exchange::head() const {
  std::string head;
  head.reserve(1024);
  head.append(request_.method).append(" ").append(pool_.endpoint().base_path).append(request_.target).append(" HTTP/1.1\r\n");
  if (!has_header(request_.headers, "Host")) add_line(head, "Host", pool_.endpoint().authority());
  for (const auto& [name, value] : request_.headers) add_line(head, name, value);
  if (carries_body(request_)) add_line(head, "Content-Length", std::to_string(request_.content_length));
  if (wants_continue()) add_line(head, "Expect", "100-continue");
  return head.append("\r\n");
}

bool Exchange::wants_continue() const { return request_.content_length > kContinueFrom && pool_.server_says_continue; }

Result<std::unique_ptr<Answer>> Exchange::run() {
  const std::string text = head();
  std::string_view unsent = text;
  Result<Sent> sent = wants_continue() ? send_head_alone(unsent) : Result<Sent>(Sent::kWhole);
  if (sent && *sent == Sent::kWhole) sent = send_body(unsent);
  if (!sent && !connection_failed_) return sent.status();
  sent_whole_ = sent && *sent == Sent::kWhole;
  if (answer_) return std::move(answer_);
  Result<std::unique_ptr<Answer>> answer = read_answer();
  // A server that refuses a body may close at once: its answer is there, behind a connection that cannot be written to.
  return !answer && !sent ? sent.status() : std::move(answer);
}

Result<std::unique_ptr<Answer>> Exchange::read_answer() {
  const auto patience = request_.first_byte_timeout.count() > 0 ? request_.first_byte_timeout : pool_.options().first_byte_timeout;
  auto answer = std::make_unique<Answer>(request_.method == "HEAD");
  if (Status status = answer->read_head(connection_, after(connection_failed_ ? std::chrono::milliseconds(0) : patience)); !status) {
    connection_failed_ = true;
    return status;
  }
  return answer;
}

Result<Exchange::Sent> Exchange::send_head_alone(std::string_view& head) {
  Result<Sent> sent = connection_.write(head, pool_.options().idle_timeout);
  const Result<bool> came = sent ? connection_.wait_for_input(after(pool_.options().continue_wait)) : sent.status();
  connection_failed_ = !came;
  if (!came) return came.status();
  if (!*came) {
    pool_.server_says_continue = false;
    return Sent::kWhole;
  }
  const Result<bool> answered = take_early_answer();
  if (!answered) return answered.status();
  return *answered ? Sent::kAnswered : Sent::kWhole;
}

Result<Exchange::Sent> Exchange::send_body(std::string_view head) {
  const std::span<char> buffer = connection_.output(std::min<std::uint64_t>(head.size() + body_left_, Connection::kMaxOutput));
  std::size_t filled = head.copy(buffer.data(), buffer.size());
  if (filled < head.size()) {
    if (Result<Sent> sent = write(head); !sent || *sent == Sent::kAnswered) return sent;
    filled = 0;
  }
  do {
    const Result<std::size_t> size = fill(buffer.subspan(filled));
    if (!size) return size.status();
    if (body_left_ == 0) {
      if (Status status = expect_end(); !status) return status;
    }
    if (Result<Sent> sent = write({buffer.data(), filled + *size}); !sent || *sent == Sent::kAnswered) return sent;
    filled = 0;
  } while (body_left_ > 0);
  return Sent::kWhole;
}

Result<std::size_t> Exchange::fill(std::span<char> buffer) {
  std::size_t filled = 0;
  while (body_left_ > 0 && filled < buffer.size()) {
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size() - filled, body_left_));
    Result<std::size_t> size = request_.body->read(buffer.subspan(filled, room));
    if (!size) return size;
    if (*size == 0) {
      return Status{Code::kInvalidArgument, "the body ended " + std::to_string(body_left_) + " bytes before the length that was announced"};
    }
    filled += *size;
    body_left_ -= *size;
  }
  return filled;
}

Status Exchange::expect_end() {
  char one = 0;
  if (request_.body == nullptr) return {};
  const Result<std::size_t> size = request_.body->read({&one, 1});
  if (!size) return size.status();
  return *size == 0 ? Status::ok() : Status{Code::kInvalidArgument, "the body is longer than the length that was announced"};
}

Result<Exchange::Sent> Exchange::write(std::string_view data) {
  while (true) {
    Result<Sent> sent = connection_.write(data, pool_.options().idle_timeout);
    connection_failed_ = !sent;
    if (!sent || (*sent == Sent::kWhole && (body_left_ == 0 || connection_.quiet()))) return sent;
    const Result<bool> answered = take_early_answer();
    if (!answered) return answered.status();
    if (*answered) return Sent::kAnswered;
  }
}

Result<bool> Exchange::take_early_answer() {
  auto answer = std::make_unique<Answer>(request_.method == "HEAD");
  if (Status status = answer->read_head(connection_, after(pool_.options().idle_timeout), true); !status) {
    connection_failed_ = true;
    return status;
  }
  if (answer->provisional()) return false;
  answer_ = std::move(answer);
  return true;
}

}  // namespace fermata::http
