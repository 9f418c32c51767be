#pragma once

#include <memory>
#include <span>
#include <string>

namespace fermata::crr {

/// MD5 over what passes by: the ETag that S3 shows for an object. It guards against damage, not against malice.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  void update(std::span<const char> data);
  /// Lower-case hex. Once, at the end.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace fermata::crr
