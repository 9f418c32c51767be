#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace fermata::plugin {

/// Opaque handles for values that a plugin must hand back exactly once. A handle is a number dressed as a pointer, of a
/// slot and its generation, so a second use, or a made-up one, is recognised instead of touching freed memory.
/// Threads: [any].
template <typename Handle, typename Value>
class HandleTable {
  static_assert(sizeof(std::uintptr_t) == 8, "a handle needs 64 bits");

 public:
  Handle* add(Value value) {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      slots_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    slot.value.emplace(std::move(value));
    return to_handle(index, slot.generation);
  }

  /// The value, which the table gives up; nullopt if the handle is spent or none of ours.
  std::optional<Value> take(const Handle* handle) {
    const std::lock_guard lock(mutex_);
    Slot* slot = find(handle);
    if (slot == nullptr) return std::nullopt;
    std::optional<Value> value = std::exchange(slot->value, std::nullopt);
    ++slot->generation;
    free_.push_back(static_cast<std::uint32_t>(slot - slots_.data()));
    return value;
  }

  /// A copy of the value, which stays.
  std::optional<Value> get(const Handle* handle) {
    const std::lock_guard lock(mutex_);
    const Slot* slot = find(handle);
    return slot == nullptr ? std::nullopt : slot->value;
  }

  /// Everything that was never handed back.
  std::vector<Value> take_all() {
    const std::lock_guard lock(mutex_);
    std::vector<Value> values;
    for (std::uint32_t index = 0; index < slots_.size(); ++index) {
      Slot& slot = slots_[index];
      if (!slot.value) continue;
      values.push_back(std::move(*slot.value));
      slot.value.reset();
      ++slot.generation;
      free_.push_back(index);
    }
    return values;
  }

 private:
  struct Slot {
    std::uint32_t generation = 1;
    std::optional<Value> value;
  };

  static Handle* to_handle(std::uint32_t index, std::uint32_t generation) {
    return reinterpret_cast<Handle*>((std::uintptr_t{generation} << 32) | index);
  }

  Slot* find(const Handle* handle) {
    const auto number = reinterpret_cast<std::uintptr_t>(handle);
    const auto index = static_cast<std::uint32_t>(number);
    if (index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.value && slot.generation == static_cast<std::uint32_t>(number >> 32) ? &slot : nullptr;
  }

  std::mutex mutex_;  // guards all below
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace fermata::plugin
