#include "store_routes.hpp"

#include "text/problem.hpp"
#include "text/query.hpp"
#include "version_id.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <memory>
#include <set>
#include <utility>

namespace fermata::ingestion {
namespace {

namespace json = boost::json;

const std::initializer_list<std::string_view> kParameters{"limit", "after", "versionId"};
constexpr std::size_t kMaxLimit = 1'000;
constexpr std::size_t kUsualLimit = 100;
/// Keys that one listing looks at, shown or not.
constexpr std::size_t kMaxExamined = 5'000;

Result<std::size_t> limit_of(const std::map<std::string, std::string, std::less<>>& query) {
  const auto found = query.find("limit");
  if (found == query.end()) return kUsualLimit;
  std::size_t limit = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > kMaxLimit)
    return Status(Code::kInvalidArgument, "limit: must be a number from 1 to 1000");
  return limit;
}

/// "bucket/key" -> both; an empty key if there is no slash.
std::pair<std::string, std::string> split(std::string_view path) {
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return {std::string(path), {}};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

json::object to_json(const ShownVersion& version) {
  json::object out{{"bucket", version.bucket},
                   {"key", version.key},
                   {"versionId", version.version_id.empty() ? "null" : encode_version_id(version.version_id)},
                   {"size", version.size},
                   {"md5", version.md5},
                   {"lastModified", version.last_modified}};
  if (version.is_null) out["isNull"] = true;
  if (version.is_delete_marker) out["isDeleteMarker"] = true;
  return out;
}

}  // namespace

Status StoreRoutes::add() {
  if (auto status = add_route("list/*", &StoreRoutes::list); !status) return status;
  if (auto status = add_route("versions/*", &StoreRoutes::versions); !status) return status;
  return add_route("objects/*", &StoreRoutes::show);
}

// The store may block: answers are made by a task, not in the handler.
Status StoreRoutes::add_route(const char* pattern, Handler handler) {
  return host_.add_route("GET", pattern, [this, handler](const sdk::HttpRequest& request, sdk::Exchange exchange) {
    const auto open = std::make_shared<sdk::Exchange>(std::move(exchange));
    auto query = text::parse_query(request.query, kParameters);
    if (!query) return open->respond(400, "application/problem+json", text::problem_body(400, query.status().message()));
    host_.post([this, handler, open, asked = Request{std::string(request.rest), std::move(*query)}] {
      const Answer answer = serve(handler, asked);
      open->respond(answer.status, answer.status < 400 ? "application/json" : "application/problem+json", answer.body);
    });
  });
}

Status StoreRoutes::open() {
  auto reader = MetadataReader::open(settings_.store->path);
  if (!reader) return reader.status();
  const std::lock_guard lock(mutex_);
  reader_.emplace(std::move(*reader));
  return Status::ok();
}

void StoreRoutes::close() {
  const std::lock_guard lock(mutex_);
  reader_.reset();
}

StoreRoutes::Answer StoreRoutes::serve(Handler handler, Request request) {
  const std::lock_guard lock(mutex_);
  if (!reader_)
    return {503, text::problem_body(503, settings_.store ? "the store is not open yet"
                                                         : "the store is on another node: ask the one whose settings.store is sqlite")};
  const auto mark = request.path.rfind('?');
  if (mark == std::string::npos) return (this->*handler)(request);
  auto query = text::parse_query(std::string_view(request.path).substr(mark + 1), kParameters);
  if (!query || query->empty()) return (this->*handler)(request);
  // A key may look like this as well, and then it is one.
  if (handler != &StoreRoutes::list) {
    const Answer answer = (this->*handler)(request);
    if (answer.status != 404) return answer;
  }
  request.query.merge(*query);
  request.path.resize(mark);
  return (this->*handler)(request);
}

StoreRoutes::Answer StoreRoutes::list(const Request& request) {
  const auto limit = limit_of(request.query);
  if (!limit) return {400, text::problem_body(400, limit.status().message())};
  const auto where = split(request.path);
  const std::string& name = where.first;
  const std::string& path = where.second;
  const auto location =
      std::find_if(settings_.locations.begin(), settings_.locations.end(), [&name](const auto& one) { return one.name == name; });
  if (location == settings_.locations.end()) return {404, text::problem_body(404, "there is no location '" + name + "'")};
  const bool has_bucket = path.find('/') != std::string::npos;
  const auto [bucket_prefix, key_prefix] = split(path);
  const auto after = request.query.find("after");
  const auto [after_bucket, after_key] = split(after == request.query.end() ? std::string_view() : std::string_view(after->second));
  std::set<std::string> buckets;
  for (const auto& bucket : location->buckets)
    if ((has_bucket ? bucket.target == bucket_prefix : bucket.target.starts_with(bucket_prefix)) && bucket.target >= after_bucket)
      buckets.insert(bucket.target);
  json::array objects;
  std::string next;
  std::size_t examined = kMaxExamined;
  for (const auto& bucket : buckets) {
    if (!next.empty()) break;
    const auto page =
        reader_->list(bucket, key_prefix, bucket == after_bucket ? after_key : std::string(), *limit - objects.size(), examined);
    if (!page) return {503, text::problem_body(503, page.status().message())};
    for (const auto& object : page->objects) objects.push_back(to_json(object));
    if (!page->last.empty()) next = bucket + "/" + page->last;
  }
  json::object body{{"objects", std::move(objects)}};
  if (!next.empty()) body["next"] = next;
  return {200, json::serialize(body)};
}

StoreRoutes::Answer StoreRoutes::versions(const Request& request) {
  const auto limit = limit_of(request.query);
  if (!limit) return {400, text::problem_body(400, limit.status().message())};
  const auto [bucket, key] = split(request.path);
  const auto found = reader_->versions(bucket, key, *limit);
  if (!found) return {503, text::problem_body(503, found.status().message())};
  if (found->empty()) return {404, text::problem_body(404, "no object " + request.path + " is in the mirror")};
  json::array list;
  for (const auto& version : *found) list.push_back(to_json(version));
  return {200, json::serialize(json::object{{"versions", std::move(list)}})};
}

StoreRoutes::Answer StoreRoutes::show(const Request& request) {
  const auto [bucket, key] = split(request.path);
  const auto wanted = request.query.find("versionId");
  const auto found = reader_->get(bucket, key, wanted == request.query.end() ? std::nullopt : std::optional<std::string>(wanted->second));
  if (!found) return {503, text::problem_body(503, found.status().message())};
  if (!*found) return {404, text::problem_body(404, "no object " + request.path + " is in the mirror, or no such version of it")};
  json::object body = to_json(**found);
  boost::system::error_code error;
  body["metadata"] = json::parse((*found)->metadata, error);
  return {200, json::serialize(body)};
}

}  // namespace fermata::ingestion
