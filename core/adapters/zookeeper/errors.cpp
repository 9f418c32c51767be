#include "adapters/zookeeper/errors.hpp"

#include <fmt/format.h>
#include <zookeeper/zookeeper.h>

namespace fermata::zookeeper {

bool is_lost(int code) {
  switch (code) {
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED:
    case ZAUTHFAILED:
    case ZCLOSING:
    case ZINVALIDSTATE:
    case ZSYSTEMERROR:
    case ZTHROTTLEDOP: return true;
    default: return false;
  }
}

Status to_status(int code, std::string_view path) {
  if (is_lost(code)) return {Code::kUnavailable, fmt::format("{}: no answer from ZooKeeper ({})", path, zerror(code))};
  switch (code) {
    case ZNONODE: return {Code::kNotFound, fmt::format("no {}", path)};
    case ZNODEEXISTS: return {Code::kAlreadyExists, fmt::format("{} is there already", path)};
    case ZBADVERSION: return {Code::kAborted, fmt::format("{} has another version: read it again", path)};
    case ZNOTEMPTY: return {Code::kFailedPrecondition, fmt::format("{} has children: remove them first", path)};
    case ZNOCHILDRENFOREPHEMERALS:
      return {Code::kFailedPrecondition, fmt::format("{}: its parent is ephemeral and can have no children", path)};
    case ZNOAUTH:
    case ZINVALIDACL:
      return {Code::kPermissionDenied,
              fmt::format("{}: ZooKeeper refuses access: check zookeeper.user and zookeeper.password against the entry's ACL", path)};
    case ZBADARGUMENTS: return {Code::kInvalidArgument, fmt::format("'{}' is no path that ZooKeeper takes", path)};
    default: return {Code::kInternal, fmt::format("{}: ZooKeeper answered {} ({})", path, code, zerror(code))};
  }
}

}  // namespace fermata::zookeeper
