#pragma once

#include "object_store_contract.hpp"

namespace fermata::crr::testing {

std::unique_ptr<StoreUnderTest> make_filesystem_store();
/// What a kind of S3 server can do.
struct S3Powers {
  bool empty_parts = true;  ///< keys with "//"
  bool chunked = true;      ///< bodies signed in chunks
};
/// @param url  "http://access:secret@host:port".
std::unique_ptr<StoreUnderTest> make_s3_store(const std::string& url, S3Powers powers);

}  // namespace fermata::crr::testing
