#pragma once
// An S3 store that keeps versions, in memory: as a source and as a target of replication.

#include "store/object_store.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fermata::crr::testing {

struct ModelVersion {
  std::string version_id;
  bool marker = false;
  std::string content = {};
  Tags tags = {};
  std::string source_version = {};  ///< of a replica
  bool replica = false;
};

/// What is in the store, oldest version first, and what was asked of it.
struct Model {
  std::map<std::string, std::vector<ModelVersion>> objects;  ///< by "<bucket>/<key>"
  int listings = 0;
  int heads = 0;
  int gets = 0;
  int last_id = 0;

  std::string add(const std::string& path, std::string content, Tags tags = {}) {
    const std::string id = "s" + std::to_string(++last_id);
    objects[path].push_back({id, false, std::move(content), std::move(tags)});
    return id;
  }
  std::string mark(const std::string& path) {
    const std::string id = "m" + std::to_string(++last_id);
    objects[path].push_back({id, true});
    return id;
  }
  void erase(const std::string& path, const std::string& version_id) {
    std::erase_if(objects[path], [&version_id](const auto& version) { return version.version_id == version_id; });
  }
  /// "one, two, -": contents, and "-" for a delete marker.
  std::string history(const std::string& path) {
    std::string text;
    for (const auto& version : objects[path]) text += (text.empty() ? "" : ", ") + (version.marker ? "-" : version.content);
    return text;
  }
};

class ModelReader final : public ObjectReader {
 public:
  explicit ModelReader(const ModelVersion& version) : content_(version.content) {
    meta_.size = content_.size();
    meta_.version_id = version.version_id;
    meta_.fingerprint = version.version_id;
    meta_.tags = version.tags;
    meta_.replica = version.replica;
  }
  const ObjectMeta& meta() const override { return meta_; }
  Result<std::size_t> read(std::span<char> buffer) override {
    const std::size_t count = std::min(buffer.size(), content_.size() - at_);
    std::memcpy(buffer.data(), content_.data() + at_, count);
    at_ += count;
    return count;
  }
  Status check_unchanged() override { return Status::ok(); }
  Result<std::unique_ptr<ObjectReader>> open_part(const Part&) override { return Status(Code::kUnimplemented, "no parts"); }

 private:
  const std::string content_;
  ObjectMeta meta_;
  std::size_t at_ = 0;
};

class ModelSource final : public ObjectSource {
 public:
  explicit ModelSource(Model& model) : model_(model) {}

  Result<std::unique_ptr<ObjectReader>> open(const ObjectId& id, const std::string& version_id) override {
    ++model_.gets;
    if (auto found = find(id, version_id)) return std::unique_ptr<ObjectReader>(std::make_unique<ModelReader>(*found));
    return Status(Code::kNotFound, "no such version");
  }
  Result<ObjectMeta> stat(const ObjectId& id, const std::string& version_id) override {
    if (auto found = find(id, version_id)) return ModelReader(*found).meta();
    return Status(Code::kNotFound, "no such version");
  }
  Result<Tags> tags(const ObjectId& id, const std::string& version_id) override {
    if (auto found = find(id, version_id)) return found->tags;
    return Status(Code::kNotFound, "no such version");
  }
  Result<std::vector<SourceVersion>> versions(const ObjectId& id, const std::string& until) override {
    ++model_.listings;
    std::vector<SourceVersion> found;
    const auto& versions = model_.objects[id.path()];
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
      found.push_back({version->version_id, version->marker});
      if (version->version_id == until) break;
    }
    return found;
  }

 private:
  const ModelVersion* find(const ObjectId& id, const std::string& version_id) const {
    for (const auto& version : model_.objects[id.path()])
      if (version.version_id == version_id && !version.marker) return &version;
    return nullptr;
  }

  Model& model_;
};

class ModelStore final : public ObjectStore {
 public:
  explicit ModelStore(Model& model) : model_(model) {}

  /// Asked before each write; not ok: it fails so, nothing written.
  std::function<Status(const std::string& content)> before = [](const std::string&) { return Status::ok(); };
  /// And after it: the write was done, and nobody was told.
  std::function<Status(const std::string& content)> after = [](const std::string&) { return Status::ok(); };

  Result<Stored> put(const ObjectId& id, ObjectReader& source) override {
    std::string content(source.meta().size, '\0');
    if (auto count = source.read(content); !count) return count.status();
    if (auto status = before(content); !status) return status;
    model_.objects[id.path()].push_back(
        {"t" + std::to_string(++model_.last_id), false, content, source.meta().tags, source.meta().version_id, true});
    if (auto status = after(content); !status) return status;
    return Stored{content.size(), "etag"};
  }
  Result<std::string> remove(const ObjectId& id, const std::function<Status()>& still_gone) override {
    const auto now = latest(id);
    if (now->kind != TargetObject::Kind::kObject) return now->target_version;
    if (auto status = still_gone(); !status) return status;
    if (auto status = before("-"); !status) return status;
    std::string marker = model_.mark(id.path());
    if (auto status = after("-"); !status) return status;
    return marker;
  }
  Result<bool> has(const ObjectId&, const ObjectMeta&) override { return false; }
  Result<TargetObject> latest(const ObjectId& id) override {
    ++model_.heads;
    const auto& versions = model_.objects[id.path()];
    if (versions.empty()) return TargetObject{};
    return describe(versions.back());
  }
  Result<std::vector<TargetObject>> history(const ObjectId& id) override {
    std::vector<TargetObject> found;
    const auto& versions = model_.objects[id.path()];
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) found.push_back(describe(*version));
    return found;
  }
  Status remove_version(const ObjectId& id, const std::string& source_version, const std::string& target_version) override {
    std::erase_if(model_.objects[id.path()], [&](const auto& version) {
      return target_version.empty() ? version.source_version == source_version : version.version_id == target_version;
    });
    return Status::ok();
  }
  Status put_tags(const ObjectId& id, const std::string& source_version, const Tags& tags) override {
    for (auto& version : model_.objects[id.path()]) {
      if (version.source_version != source_version) continue;
      version.tags = tags;
      return Status::ok();
    }
    return {Code::kNotFound, "no such replica"};
  }
  Status check() override { return Status::ok(); }
  Status clean() override { return Status::ok(); }

 private:
  static TargetObject describe(const ModelVersion& version) {
    return {version.marker ? TargetObject::Kind::kDeleteMarker : TargetObject::Kind::kObject, version.source_version, version.version_id};
  }

  Model& model_;
};

}  // namespace fermata::crr::testing
