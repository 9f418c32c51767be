#include "http/client.hpp"

#include "http/answer.hpp"
#include "http/exchange.hpp"
#include "http/pool.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace fermata::http {

namespace {

constexpr std::size_t kDrained = 16 * 1024;  // of an answer nobody wanted to the end, to keep its connection

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

Result<std::size_t> MemoryBody::read(std::span<char> buffer) {
  const std::size_t size = std::min(buffer.size(), data_.size() - at_);
  if (size > 0) std::memcpy(buffer.data(), data_.data() + at_, size);
  at_ += size;
  return size;
}

bool MemoryBody::rewind() {
  at_ = 0;
  return true;
}

/// The connection is there as long as there is something to read from it.
struct Response::State {
  std::shared_ptr<Pool> pool;
  Pool::Lease connection;
  std::unique_ptr<Answer> answer;
  bool keep = false;
  std::string asked;  // "GET /x", for messages

  ~State() {
    if (connection) drain();
  }

  Result<std::size_t> read(std::span<char> buffer, Deadline deadline) {
    if (answer->complete()) return std::size_t{0};
    if (!connection) return Status{Code::kUnavailable, describe("the answer's connection has failed before")};
    Result<std::size_t> size = answer->read_body(*connection, buffer, deadline);
    if (!size) {
      connection.reset();
      return Status{size.status().code(), describe(size.status().message())};
    }
    if (answer->complete()) settle();
    return size;
  }

  /// Gives the connection away once the answer is complete.
  void settle() {
    if (keep && answer->keep_alive() && connection->input().empty()) {
      pool->keep(std::move(connection));
    } else {
      connection.reset();
    }
  }

  /// Reads a small rest that is there already.
  void drain() {
    std::array<char, 4096> buffer;
    while (connection && keep && answer->remaining().value_or(kDrained + 1) <= kDrained) {
      if (!read(buffer, Clock::now())) return;
    }
  }

  std::string describe(const std::string& what) const { return pool->endpoint().text() + ": " + asked + ": " + what; }
};

Response::Response(std::unique_ptr<State> state) : state_(std::move(state)) {}
Response::Response(Response&&) noexcept = default;
Response& Response::operator=(Response&&) noexcept = default;
Response::~Response() = default;

int Response::status() const { return state_->answer->status(); }

std::optional<std::string> Response::header(std::string_view name) const {
  const auto same = [name](const auto& header) {
    return std::ranges::equal(header.first, name, [](char a, char b) { return lower(a) == lower(b); });
  };
  const auto found = std::ranges::find_if(headers(), same);
  return found == headers().end() ? std::nullopt : std::optional(found->second);
}

const Headers& Response::headers() const { return state_->answer->headers(); }

std::optional<std::uint64_t> Response::content_length() const { return state_->answer->content_length(); }

Result<std::size_t> Response::read(std::span<char> buffer) { return state_->read(buffer, after(state_->pool->options().idle_timeout)); }

Result<std::string> Response::read_all(std::size_t limit) {
  std::string text;
  while (true) {
    const std::size_t filled = text.size();
    const std::size_t step = std::min<std::uint64_t>(std::max<std::uint64_t>(state_->answer->remaining().value_or(4096), 1), 65'536);
    text.resize(filled + step);
    const Result<std::size_t> size = read(std::span(text).subspan(filled));
    if (!size) return size.status();
    text.resize(filled + *size);
    if (text.size() > limit) {
      return Status{Code::kResourceExhausted, state_->describe("the answer is longer than " + std::to_string(limit) + " bytes")};
    }
    if (*size == 0) return text;
  }
}

Client::Client(Endpoint endpoint, ClientOptions options) : pool_(std::make_shared<Pool>(std::move(endpoint), std::move(options))) {}

Client::~Client() { pool_->close(); }

Result<Response> Client::send(const Request& request) {
  if (Status status = check(request); !status) return status;
  const auto asked = [&request] { return request.method + " " + request.target.substr(0, request.target.find('?')); };
  for (bool again = false;; again = true) {
    Result<Pool::Taken> taken = pool_->take(again);
    if (!taken) return taken.status();
    Exchange exchange(*pool_, *taken->connection, request);
    Result<std::unique_ptr<Answer>> answer = exchange.run();
    if (answer) {
      auto state = std::make_unique<Response::State>();
      state->pool = pool_;
      state->connection = std::move(taken->connection);
      state->answer = std::move(*answer);
      state->keep = exchange.sent_whole();
      state->asked = asked();
      if (state->answer->complete()) state->settle();
      return Response(std::move(state));
    }
    const bool harmless = request.idempotent || !exchange.anything_sent();
    const bool died_unanswered = taken->kept && taken->connection->ended() && !exchange.anything_received();
    taken->connection.reset();
    if (!again && died_unanswered && harmless && (request.body == nullptr || request.body->rewind())) continue;
    if (!exchange.connection_failed()) return answer.status();
    return Status{answer.status().code(), pool_->endpoint().text() + ": " + asked() + ": " + answer.status().message()};
  }
}

void Client::interrupt() { pool_->interrupt(); }
void Client::resume() { pool_->resume(); }
const Endpoint& Client::endpoint() const { return pool_->endpoint(); }
std::size_t Client::connections() const { return pool_->size(); }

}  // namespace fermata::http
