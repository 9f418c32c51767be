#include "base/random.hpp"

#include <algorithm>
#include <random>

namespace fermata {
namespace {

std::mt19937_64& generator() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return engine;
}

}  // namespace

std::string random_hex(std::size_t bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::uniform_int_distribution<int> digit(0, 15);
  std::string text(bytes * 2, '0');
  for (char& c : text) c = kHex[digit(generator())];
  return text;
}

std::chrono::milliseconds backoff(std::uint32_t attempt, std::chrono::milliseconds first, std::chrono::milliseconds max) {
  const std::uint32_t doublings = std::min<std::uint32_t>(attempt > 0 ? attempt - 1 : 0, 30);
  const std::int64_t full = std::min<std::int64_t>(first.count() << doublings, max.count());
  if (full <= 1) return std::chrono::milliseconds(full);
  std::uniform_int_distribution<std::int64_t> half(0, full - full / 2);
  return std::chrono::milliseconds(full / 2 + half(generator()));
}

}  // namespace fermata
