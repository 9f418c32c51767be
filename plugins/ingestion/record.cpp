#include "record.hpp"

#include "text/text.hpp"

#include <boost/endian/conversion.hpp>
#include <boost/json.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fermata::ingestion {
namespace {

namespace json = boost::json;

/// What JSON.stringify makes of a byte: 0 itself, 'u' its number, else a backslash and this.
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> out{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) out[byte] = 'u';
  out['"'] = '"';
  out['\\'] = '\\';
  out['\b'] = 'b';
  out['\f'] = 'f';
  out['\n'] = 'n';
  out['\r'] = 'r';
  out['\t'] = 't';
  return out;
}
constexpr auto kEscapes = make_escapes();

constexpr std::size_t kWord = sizeof(std::uint64_t);

/// How many of the next eight bytes come before the first that kEscapes changes. In each byte below, the high bit says of `word`
/// that it must be escaped; a borrow makes it lie only beyond a byte of which it is true.
std::size_t plain_bytes(const char* text) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  const std::uint64_t word = boost::endian::load_little_u64(reinterpret_cast<const unsigned char*>(text));
  const std::uint64_t quote = word ^ ('"' * kEach);
  const std::uint64_t backslash = word ^ ('\\' * kEach);
  const std::uint64_t hits = ((quote - kEach) & ~quote) | ((backslash - kEach) & ~backslash) | ((word - 0x20 * kEach) & ~word);
  return static_cast<std::size_t>(std::countr_zero(hits & (0x80 * kEach))) / 8;
}

char* write_escaped(char* to, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  *to++ = '\\';
  *to++ = kEscapes[byte];
  if (kEscapes[byte] != 'u') return to;
  for (const char digit : {'0', '0', kHex[byte >> 4], kHex[byte & 15]}) *to++ = digit;
  return to;
}

/// As JSON.stringify writes it. Metadata is long and full of quotes, so eight bytes are looked at and copied at once.
void append_json_string(std::string& out, std::string_view text) {
  constexpr std::size_t kPiece = 1'024;
  std::array<char, 6 * kPiece + kWord> buffer;  // what a piece becomes at most, and what is copied beyond it
  out += '"';
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, kPiece);
    text.remove_prefix(piece.size());
    char* to = buffer.data();
    for (const char *from = piece.data(), *end = from + piece.size(); from != end;) {
      std::size_t plain = 0;
      if (static_cast<std::size_t>(end - from) >= kWord) {
        std::memcpy(to, from, kWord);
        plain = plain_bytes(from);
      } else {
        *to = *from;
        plain = kEscapes[static_cast<unsigned char>(*from)] == 0 ? 1 : 0;
      }
      to += plain;
      from += plain;
      if (plain == 0) to = write_escaped(to, *from++);
    }
    out.append(buffer.data(), to);
  }
  out += '"';
}

const json::string* string_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value == nullptr ? nullptr : value->if_string();
}

std::int64_t number_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  const auto* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr || *number < 0 ? 0 : *number;
}

}  // namespace

std::string record_key(std::string_view bucket, std::string_view metadata_key) {
  return text::encode_uri_component(bucket) + "%2F" + text::encode_uri_component(metadata_key);
}

std::string record_value(bool is_delete, std::string_view bucket, std::string_view metadata_key, std::string_view value,
                         const LogOrigin& origin) {
  std::string out;
  out.reserve(128 + bucket.size() + metadata_key.size() + value.size() + value.size() / 8);
  out += is_delete ? R"({"type":"del","bucket":)" : R"({"type":"put","bucket":)";
  append_json_string(out, bucket);
  out += R"(,"key":)";
  append_json_string(out, metadata_key);
  if (!is_delete) {
    out += R"(,"value":)";
    append_json_string(out, value);
  }
  out += R"(,"overheadFields":{"session":)" + std::to_string(origin.session) + R"(,"seq":)" + std::to_string(origin.sequence) + "}}";
  return out;
}

Result<Change> parse_record(std::string_view value) {
  std::array<unsigned char, 8'192> scratch;  // most records fit; what does not comes from the heap
  json::monotonic_resource memory(scratch.data(), scratch.size());
  boost::system::error_code error;
  const auto document = json::parse(json::string_view(value.data(), value.size()), error, &memory);
  const json::object* root = error ? nullptr : document.if_object();
  if (root == nullptr) return Status(Code::kInvalidArgument, "the record's value is not a JSON object");
  if (root->contains("bootstrapId")) return Status(Code::kNotFound, "a marker");
  const auto* type = string_in(*root, "type");
  const auto* bucket = string_in(*root, "bucket");
  const auto* key = string_in(*root, "key");
  const auto* metadata = string_in(*root, "value");
  if (type == nullptr || (*type != "put" && *type != "del"))
    return Status(Code::kInvalidArgument, R"(the record's type is neither "put" nor "del")");
  if (bucket == nullptr || bucket->empty() || key == nullptr || key->empty())
    return Status(Code::kInvalidArgument, "the record has no bucket or no key");
  Change out;
  out.is_delete = *type == "del";
  if (!out.is_delete && metadata == nullptr) return Status(Code::kInvalidArgument, "the record is a put without a value");
  out.bucket = *bucket;
  out.key = *key;
  if (!out.is_delete) out.value = *metadata;
  if (const auto* overhead = root->if_contains("overheadFields"); overhead != nullptr && overhead->is_object())
    out.origin = {number_in(overhead->get_object(), "session"), number_in(overhead->get_object(), "seq")};
  return out;
}

}  // namespace fermata::ingestion
