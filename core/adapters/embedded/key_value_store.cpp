#include "adapters/embedded/key_value_store.hpp"

#include <fmt/format.h>

#include <utility>

namespace fermata::embedded {

namespace {

constexpr std::size_t kMaxSpaceBytes = 255;
constexpr std::size_t kMaxKeyBytes = 4'096;
constexpr std::size_t kMaxValueBytes = 256u << 10;
constexpr std::size_t kOverhead = 200;  // of one waiting write in memory

Status check(std::string_view space, std::string_view key) {
  if (space.empty() || space.size() > kMaxSpaceBytes)
    return {Code::kInvalidArgument, fmt::format("key-value space '{}': its name must have 1 to {} bytes", space, kMaxSpaceBytes)};
  if (key.empty() || key.size() > kMaxKeyBytes)
    return {Code::kInvalidArgument, fmt::format("a key of {} bytes in '{}': it must have 1 to {}", key.size(), space, kMaxKeyBytes)};
  return Status::ok();
}

bool is_within(std::string_view key, std::string_view prefix, std::string_view after) { return key > after && key.starts_with(prefix); }

}  // namespace

class SqliteKeyValueStore::Write final : public Work {
 public:
  Write(SqliteKeyValueStore& store, std::string_view space, std::string_view key, Value value)
      : store_(store), space_(space), key_(key), value_(std::move(value)) {}

  void apply(Database& database) override {
    if (*value_)
      database.run("INSERT OR REPLACE INTO kv(space, key, value) VALUES(?, ?, ?)", std::string_view(space_), Blob{key_}, Blob{**value_});
    else
      database.run("DELETE FROM kv WHERE space = ? AND key = ?", std::string_view(space_), Blob{key_});
  }
  void committed() override { store_.settled(*this); }
  bool failed(const Status&) override { return true; }
  std::size_t bytes() const override { return space_.size() + key_.size() + (*value_ ? (*value_)->size() : 0) + kOverhead; }

 private:
  friend class SqliteKeyValueStore;
  SqliteKeyValueStore& store_;
  std::string space_;
  std::string key_;
  Value value_;
};

Status SqliteKeyValueStore::put(std::string_view space, std::string_view key, std::string_view value) {
  if (value.size() > kMaxValueBytes)
    return {Code::kInvalidArgument, fmt::format("a value of {} bytes in '{}', of at most {}", value.size(), space, kMaxValueBytes)};
  return submit(space, key, std::string(value));
}

Status SqliteKeyValueStore::remove(std::string_view space, std::string_view key) { return submit(space, key, std::nullopt); }

Status SqliteKeyValueStore::submit(std::string_view space, std::string_view key, std::optional<std::string> value) {
  if (auto valid = check(space, key); !valid) return valid;
  auto shared = std::make_shared<const std::optional<std::string>>(std::move(value));
  auto write = std::make_unique<Write>(*this, space, key, shared);
  const std::lock_guard lock(mutex_);  // also keeps the order of writes to one key
  if (waiting_bytes_ + write->bytes() > max_waiting_bytes_)
    return {Code::kResourceExhausted,
            fmt::format("{} MiB of key-value writes wait for the disk ({}): try later", max_waiting_bytes_ >> 20, writer_.health().reason)};
  waiting_bytes_ += write->bytes();
  auto overlay = overlays_.find(space);
  if (overlay == overlays_.end()) overlay = overlays_.emplace(space, Overlay()).first;
  overlay->second.insert_or_assign(std::string(key), std::move(shared));
  writer_.submit(std::move(write), false);
  return Status::ok();
}

void SqliteKeyValueStore::settled(const Write& write) {
  const std::lock_guard lock(mutex_);
  waiting_bytes_ -= write.bytes();
  auto& overlay = overlays_.find(write.space_)->second;
  const auto entry = overlay.find(write.key_);
  // A later write of the key may have taken the entry over.
  if (entry != overlay.end() && entry->second == write.value_) overlay.erase(entry);
}

Result<std::optional<std::string>> SqliteKeyValueStore::get(std::string_view space, std::string_view key) {
  if (auto valid = check(space, key); !valid) return valid;
  {
    const std::lock_guard lock(mutex_);
    if (const auto overlay = overlays_.find(space); overlay != overlays_.end())
      if (const auto entry = overlay->second.find(key); entry != overlay->second.end()) return *entry->second;
  }
  try {
    auto reader = readers_.take();
    Query query = reader->query("SELECT value FROM kv WHERE space = ? AND key = ?", space, Blob{key});
    if (!query.next()) return std::optional<std::string>();
    return std::optional(std::string(query.bytes(0)));
  } catch (const SqlError& error) {
    return error.status();
  }
}

// The waiting writes that can take part in the answer: up to `limit` that are no removals, and the removals before them.
SqliteKeyValueStore::Overlay SqliteKeyValueStore::overlay_of(std::string_view space, std::string_view prefix, std::string_view after,
                                                             std::size_t limit) {
  Overlay found;
  const std::lock_guard lock(mutex_);
  const auto overlay = overlays_.find(space);
  if (overlay == overlays_.end()) return found;
  for (auto entry = overlay->second.lower_bound(std::max(prefix, after)); entry != overlay->second.end() && limit > 0; ++entry) {
    if (!entry->first.starts_with(prefix) && entry->first > prefix) break;
    if (!is_within(entry->first, prefix, after)) continue;
    found.emplace_hint(found.end(), *entry);
    if (*entry->second) --limit;
  }
  return found;
}

Result<std::vector<KeyValueStore::Entry>> SqliteKeyValueStore::scan(std::string_view space, std::string_view prefix, std::string_view after,
                                                                    std::size_t limit) {
  if (auto valid = check(space, "-"); !valid) return valid;
  std::vector<Entry> found;
  if (limit == 0) return found;
  const Overlay overlay = overlay_of(space, prefix, after, limit);
  auto waiting = overlay.begin();
  const auto take_waiting = [&](std::string_view before, bool bounded) {
    for (; waiting != overlay.end() && (!bounded || waiting->first < before) && found.size() < limit; ++waiting)
      if (*waiting->second) found.emplace_back(waiting->first, **waiting->second);
  };
  try {
    auto reader = readers_.take();
    Query rows = reader->query("SELECT key, value FROM kv WHERE space = ? AND key >= ? ORDER BY key", space, Blob{std::max(prefix, after)});
    while (found.size() < limit && rows.next()) {
      const std::string_view key = rows.bytes(0);
      if (!key.starts_with(prefix)) break;
      if (key == after) continue;
      take_waiting(key, true);
      if (found.size() == limit || (waiting != overlay.end() && waiting->first == key)) continue;
      found.emplace_back(key, rows.bytes(1));
    }
  } catch (const SqlError& error) {
    return error.status();
  }
  take_waiting({}, false);
  return found;
}

}  // namespace fermata::embedded
