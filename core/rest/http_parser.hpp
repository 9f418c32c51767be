#pragma once
// Private to the HTTP server: Beast's parser, filling our own request.

#include "ports/http_routes.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::rest {

/// A request as it came: fields in one string, found by walking them (there are few). Its `header` function also knows the
/// name ":peer", which cannot come over the wire: the peer's address.
class ReceivedRequest final : public HttpRequest {
 public:
  explicit ReceivedRequest(std::string peer);
  ReceivedRequest(const ReceivedRequest&) = delete;
  ReceivedRequest& operator=(const ReceivedRequest&) = delete;

  void set_target(std::string_view target);
  void add_field(std::string_view name, std::string_view value);
  std::optional<std::string_view> find_field(std::string_view name) const;

  /// A page of another host makes the operator's browser ask for a change.
  bool is_cross_site() const;

  std::string raw_path = {};  ///< percent-encoded, without query

 private:
  struct Field {
    std::uint32_t at;
    std::uint32_t name_size;
    std::uint32_t value_size;
  };
  std::string peer_;
  std::string text_;
  std::vector<Field> fields_;
};

/// Parses one request into a ReceivedRequest, without Beast's containers: an allocation per header field costs more than
/// the rest of the parsing.
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  using error_code = boost::beast::error_code;

  /// @param request  outlives the parser.
  RequestParser(ReceivedRequest& request, std::uint32_t max_header_bytes, std::uint64_t max_body_bytes);

  bool is_http11() const { return is_http11_; }
  bool expects_continue() const { return expects_continue_; }
  bool unknown_expectation() const { return unknown_expectation_; }
  /// The body, if any, is in a coding other than chunked, or where it ends is uncertain.
  bool unknown_transfer_encoding() const { return transfer_encodings_ > 1 || unknown_transfer_encoding_; }
  /// An HTTP/1.1 request without exactly one Host field.
  bool lacks_host() const { return is_http11_ && hosts_ != 1; }

 private:
  using string_view = boost::beast::string_view;
  using field = boost::beast::http::field;
  using verb = boost::beast::http::verb;

  void on_request_impl(verb method, string_view method_text, string_view target, int version, error_code& error) override;
  void on_response_impl(int code, string_view reason, int version, error_code& error) override;
  void on_field_impl(field name, string_view name_text, string_view value, error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& content_length, error_code& error) override;
  std::size_t on_body_impl(string_view body, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view body, error_code& error) override;
  void on_finish_impl(error_code& error) override;

  ReceivedRequest& request_;
  bool in_trailer_ = false;
  bool is_http11_ = false;
  bool expects_continue_ = false;
  bool unknown_expectation_ = false;
  bool unknown_transfer_encoding_ = false;
  int transfer_encodings_ = 0;
  int hosts_ = 0;
};

}  // namespace fermata::rest
