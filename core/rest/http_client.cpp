#include "rest/http_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <exception>
#include <optional>

namespace fermata::rest {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint64_t kMaxAnswerBytes = 256u << 20;

struct Address {
  std::string host;
  std::string port = "80";
  std::string prefix;     ///< path before the target
  std::string authority;  ///< as written, for the Host header
};

/// "http://host[:port][/prefix]", the host maybe in brackets.
std::optional<Address> parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  Address address;
  const std::size_t slash = url.find('/');
  if (slash != std::string_view::npos) address.prefix = url.substr(slash);
  if (address.prefix.ends_with('/')) address.prefix.pop_back();
  url = url.substr(0, slash);
  address.authority = url;
  const std::size_t bracket = url.find(']');
  const std::size_t colon = url.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) address.port = url.substr(colon + 1);
  address.host = url.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']')) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty() || address.port.empty()) return std::nullopt;
  return address;
}

http::request<http::string_body> to_message(const ClientRequest& request, const Address& address) {
  http::request<http::string_body> message;
  message.method_string(request.method);
  message.target(address.prefix + request.target);
  message.set(http::field::host, address.authority);
  message.set(http::field::connection, "close");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = request.body;
  message.prepare_payload();
  return message;
}

asio::awaitable<ClientResponse> exchange(const ClientRequest& request, const Address& address) {
  auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  const auto endpoints = co_await resolver.async_resolve(address.host, address.port, asio::use_awaitable);
  beast::tcp_stream stream(executor);
  stream.expires_after(request.timeout);
  co_await stream.async_connect(endpoints, asio::use_awaitable);
  const auto message = to_message(request, address);
  co_await http::async_write(stream, message, asio::use_awaitable);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswerBytes);
  parser.skip(request.method == "HEAD");
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  auto& answer = parser.get();
  co_return ClientResponse{static_cast<int>(answer.result_int()), std::string(answer[http::field::content_type]), std::move(answer.body())};
}

Status cannot_reach(const ClientRequest& request, const std::string& why) {
  return {Code::kUnavailable, "no answer from " + request.url + ": " + why + "; is `fermata serve` running there?"};
}

}  // namespace

Result<ClientResponse> http_request(const ClientRequest& request) {
  const auto address = parse_url(request.url);
  if (!address)
    return Status(Code::kInvalidArgument, "'" + request.url + "' is not an address of a daemon; write it like http://127.0.0.1:8900");
  asio::io_context io(1);
  std::optional<ClientResponse> answer;
  std::exception_ptr failure;
  asio::co_spawn(io, exchange(request, *address), [&](std::exception_ptr error, ClientResponse response) {
    failure = error;
    if (!error) answer = std::move(response);
  });
  io.run_for(request.timeout);
  if (answer) return std::move(*answer);
  if (!failure) return cannot_reach(request, "timed out after " + std::to_string(request.timeout.count()) + " ms");
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    return cannot_reach(request, error.code().message());
  } catch (const std::exception& error) {
    return Status(Code::kInternal, "request to " + request.url + " failed: " + error.what());
  }
}

}  // namespace fermata::rest
