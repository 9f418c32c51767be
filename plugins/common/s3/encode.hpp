#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::s3 {

/// Every byte but A-Z a-z 0-9 - . _ ~ as %XX; as SigV4 wants it.
std::string uri_encode(std::string_view text);
/// As uri_encode, but '/' stays. Nothing is normalised: "//" and ".." are names like any other.
std::string uri_encode_path(std::string_view path);
/// Undoes the coding of listings (encoding-type=url): %XX, and '+' for a blank. nullopt: malformed.
std::optional<std::string> url_decode(std::string_view text);

using Query = std::vector<std::pair<std::string, std::string>>;
/// "a=b&c=", encoded and sorted by the encoded names, and so both what is sent and what SigV4 signs.
std::string query_string(const Query& query);

/// Lower-case hexadecimal digits.
std::string to_hex(std::string_view bytes);
/// nullopt: not an even number of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view hex);
std::string to_base64(std::string_view bytes);

/// "20130524T000000Z". @param time_s  Unix time.
std::string amz_date(std::int64_t time_s);
/// Reads "2013-05-24T00:00:00.000Z"; 0 if it is none.
std::int64_t parse_iso_ms(std::string_view text);
/// Reads "Fri, 24 May 2013 00:00:00 GMT"; nullopt if it is none.
std::optional<std::int64_t> parse_http_date_s(std::string_view text);

}  // namespace fermata::s3
