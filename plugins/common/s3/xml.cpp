#include "s3/xml.hpp"

#include "s3/encode.hpp"

#include <pugixml.hpp>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

namespace fermata::s3 {

namespace {

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  return name.substr(name.find(':') + 1);  // npos + 1 is 0: all of it
}

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& one : node.children()) {
    if (local_name(one) == name) return one;
  }
  return {};
}

std::string text_of(const pugi::xml_node& node, std::string_view name) { return child(node, name).text().get(); }

/// The root called `name`; null if there is none.
pugi::xml_node parse(pugi::xml_document& document, std::string_view text, std::string_view name) {
  if (!document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_ws_pcdata_single)) return {};
  return child(document, name);
}

Status unexpected(std::string_view wanted) { return {Code::kUnavailable, "the answer is no <" + std::string(wanted) + "> document"}; }

template <typename Number>
Number number_of(const pugi::xml_node& node, std::string_view name) {
  const std::string text = text_of(node, name);
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Reads texts of a listing, which are encoded if the server does as it was asked.
class ListingText {
 public:
  explicit ListingText(const pugi::xml_node& root) : encoded_(text_of(root, "EncodingType") == "url") {}

  /// What cannot be decoded was not encoded, and stays.
  std::string operator()(const pugi::xml_node& node, std::string_view name) const {
    std::string text = text_of(node, name);
    if (!encoded_) return text;
    auto decoded = url_decode(text);
    return decoded ? std::move(*decoded) : text;
  }

 private:
  const bool encoded_;
};

ListedVersion version_of(const pugi::xml_node& node, const ListingText& listing) {
  ListedVersion version;
  version.key = listing(node, "Key");
  version.version_id = text_of(node, "VersionId");
  version.is_latest = text_of(node, "IsLatest") == "true";
  version.is_delete_marker = local_name(node) == "DeleteMarker";
  version.last_modified_ms = parse_iso_ms(text_of(node, "LastModified"));
  version.etag = unquoted(text_of(node, "ETag"));
  version.size = number_of<std::uint64_t>(node, "Size");
  return version;
}

/// As VersityGW names versions: what was made later is greater (github.com/ulid/spec).
bool is_ulid(std::string_view id) {
  return id.size() == 26 && id.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") == std::string_view::npos;
}

/// The newest of a key first, as S3 has it. VersityGW tells all delete markers of a page before all versions, and the times of
/// versions in whole seconds.
void put_in_order(std::vector<ListedVersion>& told) {
  const auto same_kind = [&told](const ListedVersion& version) { return version.is_delete_marker == told.front().is_delete_marker; };
  const auto second = std::find_if_not(told.begin(), told.end(), same_kind);
  if (std::any_of(second, told.end(), same_kind)) return;  // they alternate, as they should
  std::inplace_merge(told.begin(), second, told.end(), [](const ListedVersion& a, const ListedVersion& b) {
    if (a.key != b.key) return a.key < b.key;
    if (a.is_latest != b.is_latest) return a.is_latest;
    if (is_ulid(a.version_id) && is_ulid(b.version_id)) return a.version_id > b.version_id;
    return a.last_modified_ms > b.last_modified_ms;
  });
}

pugi::xml_node add(pugi::xml_node parent, const char* name, const std::string& text) {
  pugi::xml_node node = parent.append_child(name);
  node.text().set(text.c_str());
  return node;
}

pugi::xml_node root(pugi::xml_document& document, const char* name) {
  pugi::xml_node node = document.append_child(name);
  node.append_attribute("xmlns").set_value("http://s3.amazonaws.com/doc/2006-03-01/");
  return node;
}

std::string to_text(const pugi::xml_document& document) {
  std::ostringstream text;
  document.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

}  // namespace

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"')) etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

std::optional<ErrorDocument> parse_error(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node error = parse(document, text, "Error");
  if (!error) return std::nullopt;
  return ErrorDocument{.code = text_of(error, "Code"),
                       .message = text_of(error, "Message"),
                       .request_id = text_of(error, "RequestId"),
                       .resource = text_of(error, "Resource")};
}

Result<VersionPage> parse_versions(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node result = parse(document, text, "ListVersionsResult");
  if (!result) return unexpected("ListVersionsResult");
  const ListingText listing(result);
  VersionPage page;
  for (const pugi::xml_node& node : result.children()) {
    if (local_name(node) == "Version" || local_name(node) == "DeleteMarker") page.versions.push_back(version_of(node, listing));
  }
  put_in_order(page.versions);
  page.truncated = text_of(result, "IsTruncated") == "true";
  page.next_key_marker = listing(result, "NextKeyMarker");
  page.next_version_id_marker = text_of(result, "NextVersionIdMarker");
  return page;
}

Result<std::vector<Upload>> parse_uploads(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node result = parse(document, text, "ListMultipartUploadsResult");
  if (!result) return unexpected("ListMultipartUploadsResult");
  const ListingText listing(result);
  std::vector<Upload> uploads;
  for (const pugi::xml_node& node : result.children()) {
    if (local_name(node) != "Upload") continue;
    uploads.push_back({listing(node, "Key"), text_of(node, "UploadId"), parse_iso_ms(text_of(node, "Initiated"))});
  }
  return uploads;
}

Result<std::vector<std::string>> parse_buckets(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node result = parse(document, text, "ListAllMyBucketsResult");
  if (!result) return unexpected("ListAllMyBucketsResult");
  std::vector<std::string> buckets;
  for (const pugi::xml_node& node : child(result, "Buckets").children()) buckets.push_back(text_of(node, "Name"));
  return buckets;
}

Result<Tags> parse_tags(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node result = parse(document, text, "Tagging");
  if (!result) return unexpected("Tagging");
  Tags tags;
  for (const pugi::xml_node& node : child(result, "TagSet").children()) {
    if (local_name(node) == "Tag") tags[text_of(node, "Key")] = text_of(node, "Value");
  }
  return tags;
}

Result<Client::Versioning> parse_versioning(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node result = parse(document, text, "VersioningConfiguration");
  if (!result) return unexpected("VersioningConfiguration");
  const std::string status = text_of(result, "Status");
  if (status == "Enabled") return Client::Versioning::kEnabled;
  return status == "Suspended" ? Client::Versioning::kSuspended : Client::Versioning::kOff;
}

Result<std::string> parse_created_upload(std::string_view text) {
  pugi::xml_document document;
  std::string id = text_of(parse(document, text, "InitiateMultipartUploadResult"), "UploadId");
  if (id.empty()) return unexpected("InitiateMultipartUploadResult");
  return id;
}

Result<std::string> parse_completed_upload(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node result = parse(document, text, "CompleteMultipartUploadResult");
  if (!result) return unexpected("CompleteMultipartUploadResult");
  return unquoted(text_of(result, "ETag"));
}

std::string write_tags(const Tags& tags) {
  pugi::xml_document document;
  pugi::xml_node set = root(document, "Tagging").append_child("TagSet");
  for (const auto& [key, value] : tags) {
    pugi::xml_node tag = set.append_child("Tag");
    add(tag, "Key", key);
    add(tag, "Value", value);
  }
  return to_text(document);
}

std::string write_parts(std::span<const CompletedPart> parts) {
  pugi::xml_document document;
  pugi::xml_node list = root(document, "CompleteMultipartUpload");
  for (const CompletedPart& part : parts) {
    pugi::xml_node node = list.append_child("Part");
    add(node, "PartNumber", std::to_string(part.number));
    add(node, "ETag", '"' + part.etag + '"');
  }
  return to_text(document);
}

std::string write_versioning_enabled() {
  pugi::xml_document document;
  add(root(document, "VersioningConfiguration"), "Status", "Enabled");
  return to_text(document);
}

std::string write_location(std::string_view region) {
  pugi::xml_document document;
  add(root(document, "CreateBucketConfiguration"), "LocationConstraint", std::string(region));
  return to_text(document);
}

}  // namespace fermata::s3
