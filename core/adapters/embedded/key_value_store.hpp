#pragma once

#include "adapters/embedded/sqlite.hpp"
#include "adapters/embedded/writer.hpp"
#include "ports/key_value_store.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::embedded {

/// The table kv of queue.db. A put goes to the writer and, until it is durable, to an overlay that reads look at first.
class SqliteKeyValueStore final : public KeyValueStore {
 public:
  /// @param writer, readers  of the same file; they outlive the store, and the store outlives the writer's thread.
  SqliteKeyValueStore(Writer& writer, ReaderPool& readers, std::size_t max_waiting_bytes)
      : writer_(writer), readers_(readers), max_waiting_bytes_(max_waiting_bytes) {}

  Status put(std::string_view space, std::string_view key, std::string_view value) override;
  Status remove(std::string_view space, std::string_view key) override;
  Result<std::optional<std::string>> get(std::string_view space, std::string_view key) override;
  Result<std::vector<Entry>> scan(std::string_view space, std::string_view prefix, std::string_view after, std::size_t limit) override;

 private:
  /// nullopt: removed.
  using Value = std::shared_ptr<const std::optional<std::string>>;
  using Overlay = std::map<std::string, Value, std::less<>>;
  class Write;

  Status submit(std::string_view space, std::string_view key, std::optional<std::string> value);
  void settled(const Write& write);
  Overlay overlay_of(std::string_view space, std::string_view prefix, std::string_view after, std::size_t limit);

  Writer& writer_;
  ReaderPool& readers_;
  const std::size_t max_waiting_bytes_;
  std::mutex mutex_;  // guards all below
  std::map<std::string, Overlay, std::less<>> overlays_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace fermata::embedded
