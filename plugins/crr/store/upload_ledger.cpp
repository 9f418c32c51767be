#include "store/upload_ledger.hpp"

namespace fermata::crr {

Result<std::string> UploadLedger::open_upload(const ObjectId& id) const {
  auto value = host_.kv_get(key_of(id));
  if (!value) return value.status();
  return std::move(*value).value_or(std::string());
}

Status UploadLedger::begun(const ObjectId& id, const std::string& upload_id) const { return host_.kv_put(key_of(id), upload_id); }

Status UploadLedger::ended(const ObjectId& id) const { return host_.kv_remove(key_of(id)); }

std::string UploadLedger::key_of(const ObjectId& id) const {
  std::string key = "upload/" + id.path();
  key += '\0';
  return key + location_;
}

}  // namespace fermata::crr
