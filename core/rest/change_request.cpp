#include "rest/change_request.hpp"

namespace fermata::rest {

std::string asked_by(const HttpRequest& request) {
  constexpr std::size_t kMaxBytes = 256;
  if (!request.header) return "rest";
  if (auto name = request.header("X-Fermata-By"); name && !name->empty()) {
    if (name->size() <= kMaxBytes) return *name;
    std::size_t size = kMaxBytes;
    while (size > 0 && (static_cast<unsigned char>((*name)[size]) & 0xC0) == 0x80) --size;  // not within a character
    return name->substr(0, size);
  }
  const auto peer = request.header(":peer");
  return peer ? "rest:" + *peer : "rest";
}

Status check_target(const control::ControlPlane& control, std::string_view service, std::string_view location) {
  if (control.desired_revision(service) == 0)
    return {Code::kNotFound, "no service '" + std::string(service) + "'; GET /api/v1/services lists them"};
  if (location == "all" || control.location(service, location)) return Status::ok();
  return {Code::kNotFound, "service '" + std::string(service) + "' has no location '" + std::string(location) + "'; GET /api/v1/services/" +
                               std::string(service) + "/locations lists them"};
}

}  // namespace fermata::rest
