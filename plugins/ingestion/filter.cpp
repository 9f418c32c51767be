#include "filter.hpp"

#include "metadata_facts.hpp"
#include "version_id.hpp"

#include <utility>

namespace fermata::ingestion {
namespace {

/// Who writes for any instance of Zenko.
constexpr std::string_view kAnyInstance = "zenko";

}  // namespace

Filter::Filter(const LocationSettings& location, std::string instance_id) : instance_id_(std::move(instance_id)) {
  for (const auto& bucket : location.buckets) buckets_.emplace(bucket.source, &bucket);
}

const BucketSettings* Filter::find(std::string_view source_bucket) const {
  const auto found = buckets_.find(source_bucket);
  return found == buckets_.end() ? nullptr : found->second;
}

Filter::Verdict Filter::judge(const LogEntry& entry) const {
  if (!entry.has_key || entry.key.empty()) return Verdict::kBucketMetadata;
  if (entry.is_delete) return Verdict::kPass;
  const auto facts = entry.has_value ? read_metadata_facts(entry.value) : std::nullopt;
  if (!facts) return Verdict::kIncomplete;
  if (facts->is_bucket_metadata) return Verdict::kBucketMetadata;
  if (!facts->is_complete()) return Verdict::kIncomplete;
  if (facts->instance_id == kAnyInstance || (!instance_id_.empty() && facts->instance_id == instance_id_)) return Verdict::kOwnWrite;
  const bool is_master_key = entry.key.find(kVersionSeparator) == std::string_view::npos;
  if (is_master_key && !facts->version_id.empty() && !facts->is_null) return Verdict::kMasterCopy;
  return Verdict::kPass;
}

}  // namespace fermata::ingestion
