#include "store/object_store.hpp"

namespace fermata::crr {
namespace {

Status no_versions() { return {Code::kUnimplemented, "this kind of source keeps no versions"}; }

}  // namespace

Result<ObjectMeta> ObjectSource::stat(const ObjectId&, const std::string&) { return no_versions(); }
Result<Tags> ObjectSource::tags(const ObjectId&, const std::string&) { return no_versions(); }
Result<std::vector<SourceVersion>> ObjectSource::versions(const ObjectId&, const std::string&) { return no_versions(); }

Result<TargetObject> ObjectStore::visible(const ObjectId& id) { return latest(id); }

}  // namespace fermata::crr
