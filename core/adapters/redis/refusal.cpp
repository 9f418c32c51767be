#include "adapters/redis/refusal.hpp"

#include <fmt/format.h>

#include <array>

namespace fermata::redis {

namespace {

struct Known {
  std::string_view code;
  Code status;
  std::string_view fix;
};

constexpr std::array kKnown{
    Known{"NOAUTH", Code::kUnauthenticated, "set redis.password, and redis.user for an ACL user"},
    Known{"WRONGPASS", Code::kUnauthenticated, "check user and password"},
    Known{"NOPERM", Code::kPermissionDenied, "allow it to the user of redis.user (ACL SETUSER)"},
    Known{"OOM", Code::kUnavailable, "raise Redis's maxmemory or remove what else it holds"},
    Known{"MISCONF", Code::kUnavailable, "Redis cannot write to its disk: see its log"},
    Known{"READONLY", Code::kUnavailable, "it has become a replica: name the master in redis.servers, or the Sentinels"},
    Known{"LOADING", Code::kUnavailable, "it reads its data after a start: wait"},
    Known{"NOREPLICAS", Code::kUnavailable, "bring its replicas back, or lower its min-replicas-to-write"},
    Known{"WRONGTYPE", Code::kUnavailable, "another program uses the key: choose a redis.key_prefix of our own and restart"},
};

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

}  // namespace

Status refusal(std::string_view server, std::string_view request, std::string_view answer) {
  for (const Known& known : kKnown)
    if (known.code == first_word(answer)) return {known.status, fmt::format("{} refuses {}: {}: {}", server, request, answer, known.fix)};
  return {Code::kUnavailable, fmt::format("{} refuses {}: {}", server, request, answer)};
}

Status login_refusal(std::string_view server, std::string_view setting, std::string_view answer) {
  if (answer.find("max number of clients") != std::string_view::npos)
    return {Code::kUnavailable, fmt::format("{} has as many clients as it allows: raise its maxclients", server)};
  return {Code::kUnauthenticated, fmt::format("{} refuses the login ({}): check {} and its user, and that the server wants a password",
                                              server, first_word(answer), setting)};
}

}  // namespace fermata::redis
