#pragma once

#include <fermata/sdk/status.hpp>

#include <string>
#include <string_view>

namespace fermata::s3 {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// What a server says in an <Error> document; all of it may be missing.
struct ErrorDocument {
  std::string code = {};
  std::string message = {};
  std::string request_id = {};
  std::string resource = {};
};

/// What a refusal means for us; the comment on Client says what each code stands for.
/// @param status  of HTTP. @param code  of S3; empty: none was told. @param about_object  false: about a bucket or the account.
Code classify(int status, std::string_view code, bool about_object);

/// "AccessDenied (403): Access Denied (request id 1, resource /b/k)", bounded and printable.
std::string describe(int status, const ErrorDocument& document);

}  // namespace fermata::s3
