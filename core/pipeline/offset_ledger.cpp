#include "pipeline/offset_ledger.hpp"

#include <algorithm>

namespace fermata::pipeline {
namespace {

bool is_done(std::int64_t entry) { return entry < 0; }
std::int64_t offset_of(std::int64_t entry) { return is_done(entry) ? ~entry : entry; }

}  // namespace

bool OffsetLedger::add(std::int64_t offset) {
  if (offset <= last_) return false;
  if (last_ < 0) next_ = committed_ = offset;
  last_ = offset;
  entries_.push_back(offset);
  ++undone_;
  return true;
}

void OffsetLedger::done(std::int64_t offset) {
  if (entries_.empty() || offset < offset_of(entries_.front())) return;
  // Without gaps an entry stands at its distance from the first; with gaps, before that.
  const auto distance = std::min(static_cast<std::size_t>(offset - offset_of(entries_.front())), entries_.size() - 1);
  auto entry = entries_.begin() + static_cast<std::ptrdiff_t>(distance);
  if (offset_of(*entry) != offset)
    entry = std::lower_bound(entries_.begin(), entry, offset, [](std::int64_t a, std::int64_t b) { return offset_of(a) < b; });
  if (*entry != offset) return;
  *entry = ~offset;
  --undone_;
  while (!entries_.empty() && is_done(entries_.front())) entries_.pop_front();
  next_ = entries_.empty() ? last_ + 1 : entries_.front();
}

std::optional<std::int64_t> OffsetLedger::take_commit() {
  if (!has_commit()) return std::nullopt;
  committed_ = next_;
  return committed_;
}

}  // namespace fermata::pipeline
