#include "adapters/embedded/block.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace fermata::embedded {
namespace {

std::shared_ptr<const Block> block_of(std::int64_t first, int records, std::size_t value_bytes = 10) {
  auto block = std::make_shared<Block>(first);
  for (int i = 0; i < records; ++i) block->append(1'000 + i, "key" + std::to_string(i), std::string(value_bytes, 'v'));
  return block;
}

TEST(Block, ReadsBackWhatWasAppended) {
  Block block(7);
  block.append(100, "a", "one");
  block.append(200, "", std::string("\0x", 2));
  const auto parsed = Block::parse(7, block.data());
  ASSERT_TRUE(parsed);
  EXPECT_EQ((*parsed)->first(), 7);
  EXPECT_EQ((*parsed)->end(), 9);
  EXPECT_EQ((*parsed)->last_ms(), 200);
  const QueueRecord record = (*parsed)->record(3, 8);
  EXPECT_EQ(record.partition, 3);
  EXPECT_EQ(record.offset, 8);
  EXPECT_EQ(record.timestamp_ms, 200);
  EXPECT_EQ(record.key, "");
  EXPECT_EQ(record.value, std::string("\0x", 2));
  EXPECT_EQ((*parsed)->record_bytes(7), 4u);
}

TEST(Block, RefusesDamagedBytesAtEveryLength) {
  const auto block = block_of(0, 2);
  const std::size_t one = block_of(0, 1)->data().size();
  for (std::size_t size = 0; size < block->data().size(); ++size) {
    if (size == one) continue;  // a whole record is a block
    EXPECT_EQ(Block::parse(0, block->data().substr(0, size)).status().code(), Code::kDataLoss) << size;
  }
}

TEST(BlockCache, FindsTheBlockThatHoldsAnOffset) {
  BlockCache cache(1u << 20);
  cache.insert(1, 0, block_of(10, 5));
  cache.insert(1, 0, block_of(20, 5));
  EXPECT_EQ(cache.find(1, 0, 14)->first(), 10);
  EXPECT_EQ(cache.find(1, 0, 20)->first(), 20);
  EXPECT_EQ(cache.find(1, 0, 9), nullptr);
  EXPECT_EQ(cache.find(1, 0, 15), nullptr);
  EXPECT_EQ(cache.find(1, 1, 20), nullptr);
  EXPECT_EQ(cache.find(2, 0, 20), nullptr);
}

TEST(BlockCache, ForgetsWhatWasUsedLeastLately) {
  const std::size_t size = block_of(0, 1, 1'000)->memory_bytes();
  BlockCache cache(3 * size);
  for (int i = 0; i < 3; ++i) cache.insert(1, 0, block_of(i, 1, 1'000));
  EXPECT_NE(cache.find(1, 0, 0), nullptr);
  cache.insert(1, 0, block_of(3, 1, 1'000));
  EXPECT_NE(cache.find(1, 0, 0), nullptr);
  EXPECT_EQ(cache.find(1, 0, 1), nullptr);
  EXPECT_LE(cache.bytes(), 3 * size);
}

}  // namespace
}  // namespace fermata::embedded
