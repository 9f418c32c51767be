#include "log_client.hpp"

#include "text/text.hpp"

#include <utility>
#include <vector>

namespace fermata::ingestion {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShown = 200;  // bytes of an answer, in a message
constexpr std::size_t kPiece = 64u << 10;
constexpr std::size_t kMaxRefusal = 16u << 10;  // bytes of an error's body that are read

http::ClientOptions options(std::string ca_file) {
  http::ClientOptions out;
  out.max_connections = 1;
  out.first_byte_timeout = 30s;
  out.idle_timeout = 30s;
  out.ca_file = std::move(ca_file);
  return out;
}

}  // namespace

LogClient::LogClient(http::Endpoint endpoint, std::string ca_file, std::int64_t session)
    : session_(session), client_(std::move(endpoint), options(std::move(ca_file))) {}

Result<LogClient::Outcome> LogClient::read(std::optional<std::int64_t> begin, std::int64_t limit, LogSink& sink) {
  http::Request request;
  request.target = "/_/raft_sessions/" + std::to_string(session_) + "/log?";
  if (begin) request.target += "begin=" + std::to_string(*begin) + "&";
  request.target += "limit=" + std::to_string(limit) + "&targetLeader=false";
  auto response = client_.send(request);
  if (!response) return response.status();
  if (response->status() != 200) return refused(*response, request.target);
  LogParser parser(sink);
  std::vector<char> piece(kPiece);
  for (;;) {
    const auto size = response->read(piece);
    if (!size) return size.status();
    if (*size == 0) break;
    const auto parsed = parser.feed({piece.data(), *size});
    if (auto status = sink.on_piece_end(); !status) return status;
    if (!parsed) return parsed;
  }
  if (auto status = parser.end(); !status) return status;
  return Outcome::kRead;
}

Result<LogClient::Outcome> LogClient::refused(http::Response& response, const std::string& target) const {
  const auto body = response.read_all(kMaxRefusal);
  if (response.status() == 404) return Outcome::kNoSession;
  if (response.status() == 416) return Outcome::kBeyondEnd;
  return Status(Code::kUnavailable, client_.endpoint().text() + " answered " + std::to_string(response.status()) + " to GET " + target +
                                        (body && !body->empty() ? ": " + text::printable(*body, kShown) : std::string()));
}

}  // namespace fermata::ingestion
