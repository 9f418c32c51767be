#include "rest/http_parser.hpp"

#include <algorithm>
#include <utility>

namespace fermata::rest {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// "host:port" in lower case, without the port that `scheme` has anyway.
std::string authority(std::string_view text, std::string_view scheme) {
  const std::string_view port = same_name(scheme, "https") ? ":443" : ":80";
  if (text.ends_with(port)) text.remove_suffix(port.size());
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
  return lowered;
}

}  // namespace

ReceivedRequest::ReceivedRequest(std::string peer) : peer_(std::move(peer)) {
  header = [this](std::string_view name) -> std::optional<std::string> {
    if (name == ":peer") return peer_;
    const auto value = find_field(name);
    return value ? std::optional(std::string(*value)) : std::nullopt;
  };
}

void ReceivedRequest::set_target(std::string_view target) {
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) query = target.substr(question + 1);
  std::string_view whole_path = target.substr(0, question);
  const std::size_t scheme = whole_path.starts_with('/') ? std::string_view::npos : whole_path.find("://");
  if (scheme != std::string_view::npos) {  // absolute form, as sent to proxies
    const std::size_t slash = whole_path.find('/', scheme + 3);
    whole_path = slash == std::string_view::npos ? std::string_view("/") : whole_path.substr(slash);
  }
  raw_path = whole_path;
}

void ReceivedRequest::add_field(std::string_view name, std::string_view value) {
  fields_.push_back(
      {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
  text_.append(name).append(value);
}

std::optional<std::string_view> ReceivedRequest::find_field(std::string_view name) const {
  const std::string_view text(text_);
  for (const auto& field : fields_)
    if (same_name(text.substr(field.at, field.name_size), name)) return text.substr(field.at + field.name_size, field.value_size);
  return std::nullopt;
}

bool ReceivedRequest::is_cross_site() const {
  const auto origin = find_field("Origin");
  if (!origin || method == "GET" || method == "HEAD" || method == "OPTIONS") return false;
  const std::size_t scheme = origin->find("://");
  if (scheme == std::string_view::npos) return true;  // "null": of a page that belongs to nobody
  const std::string_view name = origin->substr(0, scheme);
  return authority(origin->substr(scheme + 3), name) != authority(find_field("Host").value_or(""), name);
}

RequestParser::RequestParser(ReceivedRequest& request, std::uint32_t max_header_bytes, std::uint64_t max_body_bytes) : request_(request) {
  header_limit(max_header_bytes);
  body_limit(max_body_bytes);
}

void RequestParser::on_request_impl(verb, string_view method_text, string_view target, int version, error_code&) {
  request_.method = view(method_text);
  request_.set_target(view(target));
  is_http11_ = version >= 11;
}

void RequestParser::on_field_impl(field name, string_view name_text, string_view value, error_code&) {
  if (in_trailer_) return;  // what follows a chunked body must not pass for a header
  if (name == field::host) ++hosts_;
  if (name == field::expect) {
    expects_continue_ = same_name(view(value), "100-continue");
    unknown_expectation_ = !expects_continue_;
  }
  if (name == field::transfer_encoding) {
    ++transfer_encodings_;
    if (!is_http11_ || !same_name(view(value), "chunked")) unknown_transfer_encoding_ = true;
  }
  request_.add_field(view(name_text), view(value));
}

void RequestParser::on_header_impl(error_code&) { in_trailer_ = true; }
void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) {}
void RequestParser::on_chunk_header_impl(std::uint64_t, string_view, error_code&) {}
void RequestParser::on_response_impl(int, string_view, int, error_code&) {}
void RequestParser::on_finish_impl(error_code&) {}

std::size_t RequestParser::on_body_impl(string_view body, error_code&) {
  request_.body.append(body.data(), body.size());
  return body.size();
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view body, error_code&) {
  request_.body.append(body.data(), body.size());
  return body.size();
}

}  // namespace fermata::rest
