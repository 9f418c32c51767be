#include "adapters/embedded/topic.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <utility>

namespace fermata::embedded {

namespace {

// FNV-1a, then folded: its low bits alone are weak for small partition counts.
std::uint32_t hash(std::string_view key) {
  std::uint64_t value = 14'695'981'039'346'656'037ULL;
  for (const char c : key) {
    value ^= static_cast<unsigned char>(c);
    value *= 1'099'511'628'211ULL;
  }
  return static_cast<std::uint32_t>(value ^ (value >> 32));
}

}  // namespace

std::int32_t Topic::partition_of(std::string_view key) {
  const std::uint32_t number = key.empty() ? turn_.fetch_add(1) : hash(key);
  return static_cast<std::int32_t>(number % static_cast<std::uint32_t>(partitions_.size()));
}

bool Topic::wait_for_more(const std::shared_ptr<Bell>& bell, std::span<const std::int64_t> positions) {
  // The writer moves the heads before it takes the lock in `ring`: what is not seen here rings afterwards.
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < positions.size(); ++i)
    if (partitions_[i].head > positions[i]) return false;
  if (!std::exchange(bell->waiting, true)) waiting_.push_back(bell);
  return true;
}

void Topic::stop_waiting(const std::shared_ptr<Bell>& bell) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(bell->waiting, false)) std::erase(waiting_, bell);
}

void Topic::ring(Executor& dispatcher) {
  std::vector<std::shared_ptr<Bell>> bells;
  {
    const std::lock_guard lock(mutex_);
    bells.swap(waiting_);
    for (const auto& bell : bells) bell->waiting = false;
  }
  if (bells.empty()) return;
  dispatcher.post([bells = std::move(bells)] {
    for (const auto& bell : bells) bell->guard.run(bell->ring);
  });
}

std::string format_offsets(std::span<const std::int64_t> offsets) { return fmt::format("{}", fmt::join(offsets, " ")); }

std::vector<std::int64_t> parse_offsets(std::string_view text, std::size_t count) {
  std::vector<std::int64_t> offsets(count, 0);
  const char* at = text.data();
  const char* const end = at + text.size();
  for (auto& offset : offsets) {
    while (at != end && *at == ' ') ++at;
    const auto [next, error] = std::from_chars(at, end, offset);
    if (error != std::errc()) break;
    at = next;
  }
  return offsets;
}

}  // namespace fermata::embedded
