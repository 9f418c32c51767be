#pragma once

#include <hiredis/hiredis.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fermata::redis {

struct ReplyDeleter {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
/// One answer of Redis, as hiredis parsed it.
using Reply = std::unique_ptr<redisReply, ReplyDeleter>;

inline bool is_error(const redisReply& reply) { return reply.type == REDIS_REPLY_ERROR; }
inline bool is_array(const redisReply& reply) { return reply.type == REDIS_REPLY_ARRAY; }
inline bool is_string(const redisReply& reply) { return reply.type == REDIS_REPLY_STRING; }

/// The bytes of a string, status or error; empty for anything else.
std::string_view text_of(const redisReply& reply);
/// The elements of an array; none for anything else.
inline std::span<redisReply* const> elements_of(const redisReply& reply) {
  if (!is_array(reply)) return {};
  return {reply.element, reply.elements};
}

/// Appends a command as Redis reads it; words may hold any bytes.
void append_command(std::string& out, std::span<const std::string_view> words);
inline void append_command(std::string& out, std::initializer_list<std::string_view> words) {
  append_command(out, std::span(words.begin(), words.size()));
}
inline std::string command(std::initializer_list<std::string_view> words) {
  std::string bytes;
  append_command(bytes, words);
  return bytes;
}

}  // namespace fermata::redis
