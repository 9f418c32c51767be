#include "metadata_facts.hpp"

#include "json_handler.hpp"

#include <string_view>
#include <utility>

namespace fermata::ingestion {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxKept = 1'024;  // bytes of a member's name or text

enum class Member { kOther, kLength, kMd5, kLastModified, kVersionId, kInstanceId, kIsNull, kOfBucket };

constexpr std::pair<std::string_view, Member> kMembers[] = {{"content-length", Member::kLength},
                                                            {"content-md5", Member::kMd5},
                                                            {"last-modified", Member::kLastModified},
                                                            {"versionId", Member::kVersionId},
                                                            {"x-amz-meta-zenko-instance-id", Member::kInstanceId},
                                                            {"isNull", Member::kIsNull},
                                                            {"mdBucketModelVersion", Member::kOfBucket},
                                                            {"attributes", Member::kOfBucket}};

class FactsHandler : public JsonHandler {
 public:
  bool on_object_begin(Error&) {
    if (depth_ == 0) is_object_ = true;
    return begin();
  }
  bool on_array_begin(Error&) { return begin(); }
  bool on_object_end(std::size_t, Error&) { return end(); }
  bool on_array_end(std::size_t, Error&) { return end(); }
  bool on_key_part(Text part, std::size_t size, Error&) {
    if (depth_ != 1) return true;
    if (size == part.size()) name_.clear();
    return keep(name_, part);
  }
  bool on_key(Text part, std::size_t size, Error& error) {
    if (depth_ != 1) return true;
    if (size == part.size()) return choose({part.data(), part.size()});
    on_key_part(part, size, error);
    return choose(name_);
  }
  bool on_string_part(Text part, std::size_t, Error&) { return depth_ != 1 || text_ == nullptr || keep(*text_, part); }
  bool on_string(Text part, std::size_t size, Error& error) {
    if (depth_ != 1) return true;
    if (member_ == Member::kLength) facts_.has_length = true;
    if (member_ == Member::kMd5) facts_.has_md5 = true;
    if (member_ == Member::kLastModified) facts_.has_last_modified = true;
    return on_string_part(part, size, error);
  }
  bool on_int64(std::int64_t, Text, Error&) { return number(); }
  bool on_uint64(std::uint64_t, Text, Error&) { return number(); }
  bool on_double(double, Text, Error&) { return number(); }
  bool on_bool(bool value, Error&) {
    if (depth_ == 1 && member_ == Member::kIsNull) facts_.is_null = value;
    return true;
  }

  bool is_object() const { return is_object_; }
  MetadataFacts& facts() { return facts_; }

 private:
  bool begin() {
    ++depth_;
    return true;
  }
  bool end() {
    --depth_;
    return true;
  }
  bool number() {
    if (depth_ == 1 && member_ == Member::kLength) facts_.has_length = true;
    return true;
  }
  static bool keep(std::string& text, Text part) {
    if (text.size() < kMaxKept) text.append(part.data(), part.size());
    return true;
  }
  bool choose(std::string_view name) {
    member_ = Member::kOther;
    for (const auto& [known, member] : kMembers)
      if (name == known) member_ = member;
    text_ = member_ == Member::kVersionId ? &facts_.version_id : member_ == Member::kInstanceId ? &facts_.instance_id : nullptr;
    if (text_ != nullptr) text_->clear();
    if (member_ == Member::kOfBucket) facts_.is_bucket_metadata = true;
    return true;
  }

  MetadataFacts facts_;
  bool is_object_ = false;
  int depth_ = 0;
  std::string name_;  // of a member of the outermost object, while it comes in parts
  Member member_ = Member::kOther;
  std::string* text_ = nullptr;  // where its string is kept
};

}  // namespace

std::optional<MetadataFacts> read_metadata_facts(std::string_view metadata) {
  json::basic_parser<FactsHandler> parser{json::parse_options()};
  boost::system::error_code error;
  const auto used = parser.write_some(false, metadata.data(), metadata.size(), error);
  if (error || used != metadata.size() || !parser.handler().is_object()) return std::nullopt;
  return std::move(parser.handler().facts());
}

}  // namespace fermata::ingestion
