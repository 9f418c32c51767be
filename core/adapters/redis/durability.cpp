#include "adapters/redis/durability.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

namespace fermata::redis {

namespace {

// The value of a line "name:value" of INFO; empty if there is none.
std::string_view info_value(std::string_view info, std::string_view name) {
  const std::string start = fmt::format("\n{}:", name);
  const std::size_t found = info.find(start);
  if (found == std::string_view::npos) return {};
  const std::string_view rest = info.substr(found + start.size());
  return rest.substr(0, rest.find_first_of("\r\n"));
}

struct Facts {
  std::string persistence;
  std::string memory;
  bool saves_snapshots = true;  // also when it may not be asked
};

void warn(const Facts& facts, const std::string& server, telemetry::Log& log) {
  if (info_value(facts.persistence, "aof_enabled") == "0" && !facts.saves_snapshots)
    log.warn("redis",
             fmt::format("{} writes nothing to disk, so failed records and the audit trail are lost when it stops: set 'appendonly yes'",
                         server));
  const std::string_view policy = info_value(facts.memory, "maxmemory_policy");
  if (policy.starts_with("allkeys") && info_value(facts.memory, "maxmemory") != "0")
    log.warn("redis",
             fmt::format("{} evicts keys when its memory is full (maxmemory-policy {}), failed records among them: set it to noeviction",
                         server, policy));
}

}  // namespace

void check_durability(Link& link, telemetry::Log& log) {
  const auto facts = std::make_shared<Facts>();
  link.request(command({"CONFIG", "GET", "save"}), 1, [facts](Reply& reply, bool) {
    const auto setting = elements_of(*reply);
    if (setting.size() == 2) facts->saves_snapshots = !text_of(*setting[1]).empty();
  });
  link.request(command({"INFO", "persistence"}), 1, [facts](Reply& reply, bool) {
    if (is_string(*reply)) facts->persistence = text_of(*reply);
  });
  link.request(command({"INFO", "memory"}), 1, [facts, &link, &log](Reply& reply, bool) {
    if (is_string(*reply)) facts->memory = text_of(*reply);
    warn(*facts, link.server(), log);
  });
}

}  // namespace fermata::redis
