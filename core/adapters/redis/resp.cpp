#include "adapters/redis/resp.hpp"

#include <fmt/format.h>

#include <iterator>

namespace fermata::redis {

std::string_view text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR: return {reply.str, reply.len};
    default: return {};
  }
}

void append_command(std::string& out, std::span<const std::string_view> words) {
  fmt::format_to(std::back_inserter(out), "*{}\r\n", words.size());
  for (const std::string_view word : words) {
    fmt::format_to(std::back_inserter(out), "${}\r\n", word.size());
    out.append(word);
    out.append("\r\n");
  }
}

}  // namespace fermata::redis
