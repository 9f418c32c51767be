#pragma once

#include "store/object_store.hpp"

#include <functional>
#include <memory>
#include <ostream>
#include <string>

namespace fermata::crr::testing {

/// A target of replication under test, with a bucket of its own.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual ObjectStore& store() = 0;
  /// Reads what is at the target.
  virtual ObjectSource& reader() = 0;
  virtual std::string bucket() const = 0;
  virtual bool keeps_versions() const = 0;
  /// True if a key may contain "//": MinIO keeps objects as files, too.
  virtual bool takes_empty_parts() const { return false; }
  /// Makes another bucket as somebody does who is cut off before it keeps versions. Only of S3. @return its name.
  virtual std::string make_bare_bucket() { return {}; }
  /// Unfinished multipart uploads at the target.
  virtual std::size_t unfinished_uploads() { return 0; }
  /// Begins an upload, as ours and then left by a process that died, or as somebody else's. @return its id.
  virtual std::string begin_upload(const ObjectId&, bool) { return {}; }
};

/// How to make one.
struct StoreImplementation {
  std::string name;
  /// Null and the reason if it cannot be had here.
  std::function<std::unique_ptr<StoreUnderTest>(std::string& why_not)> make;
};
inline void PrintTo(const StoreImplementation& implementation, std::ostream* out) { *out << implementation.name; }

}  // namespace fermata::crr::testing
