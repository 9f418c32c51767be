#include "adapters/embedded/block.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace fermata::embedded {

namespace {

static_assert(std::endian::native == std::endian::little, "blocks are written little-endian");

struct Header {
  std::uint32_t key_bytes;
  std::uint32_t value_bytes;
  std::int64_t timestamp_ms;
};

Header header_at(std::string_view data, std::size_t start) {
  Header header;
  std::memcpy(&header, data.data() + start, sizeof(header));
  return header;
}

}  // namespace

void Block::append(std::int64_t timestamp_ms, std::string_view key, std::string_view value) {
  const Header header{static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size()), timestamp_ms};
  starts_.push_back(static_cast<std::uint32_t>(data_.size()));
  data_.append(reinterpret_cast<const char*>(&header), sizeof(header));
  data_.append(key).append(value);
  last_ms_ = timestamp_ms;
}

Result<std::shared_ptr<const Block>> Block::parse(std::int64_t first, std::string_view data) {
  auto block = std::make_shared<Block>(first);
  std::size_t start = 0;
  while (start < data.size()) {
    if (data.size() - start < sizeof(Header)) break;
    const Header header = header_at(data, start);
    const std::size_t size = sizeof(Header) + std::size_t{header.key_bytes} + header.value_bytes;
    if (size > data.size() - start) break;
    block->starts_.push_back(static_cast<std::uint32_t>(start));
    block->last_ms_ = header.timestamp_ms;
    start += size;
  }
  if (start != data.size() || data.empty()) return Status(Code::kDataLoss, fmt::format("the block at offset {} is damaged", first));
  block->data_ = data;
  return std::shared_ptr<const Block>(std::move(block));
}

std::size_t Block::record_bytes(std::int64_t offset) const {
  const Header header = header_at(data_, starts_[static_cast<std::size_t>(offset - first_)]);
  return std::size_t{header.key_bytes} + header.value_bytes;
}

QueueRecord Block::record(std::int32_t partition, std::int64_t offset) const {
  const std::size_t start = starts_[static_cast<std::size_t>(offset - first_)];
  const Header header = header_at(data_, start);
  const std::size_t key = start + sizeof(Header);
  return {partition, offset, header.timestamp_ms, data_.substr(key, header.key_bytes),
          data_.substr(key + header.key_bytes, header.value_bytes)};
}

void BlockCache::insert(std::int64_t topic, std::int32_t partition, std::shared_ptr<const Block> block) {
  const Key key{topic, partition, block->first()};
  const std::lock_guard lock(mutex_);
  if (slots_.contains(key)) return;
  bytes_ += block->memory_bytes();
  by_age_.push_front(key);
  slots_.emplace(key, Slot{std::move(block), by_age_.begin()});
  while (bytes_ > max_bytes_ && slots_.size() > 1) {
    const auto oldest = slots_.find(by_age_.back());
    bytes_ -= oldest->second.block->memory_bytes();
    slots_.erase(oldest);
    by_age_.pop_back();
  }
}

std::shared_ptr<const Block> BlockCache::find(std::int64_t topic, std::int32_t partition, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  auto slot = slots_.upper_bound(Key{topic, partition, offset});
  if (slot == slots_.begin()) return nullptr;
  --slot;
  if (slot->first.topic != topic || slot->first.partition != partition || slot->second.block->end() <= offset) return nullptr;
  by_age_.splice(by_age_.begin(), by_age_, slot->second.age);
  return slot->second.block;
}

std::size_t BlockCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace fermata::embedded
