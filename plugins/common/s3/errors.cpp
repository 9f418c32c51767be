#include "s3/errors.hpp"

#include <optional>
#include <unordered_map>

namespace fermata::s3 {

namespace {

constexpr std::size_t kLongest = 300;  // bytes of a text that the server chose

std::optional<Code> by_name(std::string_view name) {
  static const std::unordered_map<std::string_view, Code> codes = {
      {"NoSuchKey", Code::kNotFound},
      {"NoSuchVersion", Code::kNotFound},
      {"NoSuchUpload", Code::kNotFound},
      {"NoSuchTagSet", Code::kNotFound},

      {"NoSuchBucket", Code::kFailedPrecondition},
      {"MethodNotAllowed", Code::kFailedPrecondition},
      {"InvalidBucketState", Code::kFailedPrecondition},
      {"InvalidObjectState", Code::kFailedPrecondition},
      {"ObjectLockConfigurationNotFoundError", Code::kFailedPrecondition},
      {"PermanentRedirect", Code::kFailedPrecondition},
      {"TemporaryRedirect", Code::kFailedPrecondition},
      {"AuthorizationHeaderMalformed", Code::kFailedPrecondition},
      {"IllegalLocationConstraintException", Code::kFailedPrecondition},
      {"BucketAlreadyExists", Code::kFailedPrecondition},
      {"NotImplemented", Code::kFailedPrecondition},
      {"PreconditionFailed", Code::kFailedPrecondition},
      {"QuotaExceeded", Code::kFailedPrecondition},

      {"BadDigest", Code::kAborted},
      {"IncompleteBody", Code::kAborted},
      {"XAmzContentSHA256Mismatch", Code::kAborted},
      {"RequestTimeout", Code::kAborted},
      {"OperationAborted", Code::kAborted},
      {"ConditionalRequestConflict", Code::kAborted},
      {"InvalidPart", Code::kAborted},
      {"InvalidPartOrder", Code::kAborted},
      {"RequestTimeTooSkewed", Code::kAborted},

      {"SlowDown", Code::kResourceExhausted},
      {"SlowDownRead", Code::kResourceExhausted},
      {"SlowDownWrite", Code::kResourceExhausted},
      {"ServiceUnavailable", Code::kResourceExhausted},
      {"Throttling", Code::kResourceExhausted},
      {"ThrottlingException", Code::kResourceExhausted},
      {"RequestLimitExceeded", Code::kResourceExhausted},
      {"TooManyRequests", Code::kResourceExhausted},

      {"InternalError", Code::kUnavailable},

      {"InvalidAccessKeyId", Code::kUnauthenticated},
      {"SignatureDoesNotMatch", Code::kUnauthenticated},
      {"ExpiredToken", Code::kUnauthenticated},
      {"InvalidToken", Code::kUnauthenticated},
      {"TokenRefreshRequired", Code::kUnauthenticated},
      {"InvalidSecurity", Code::kUnauthenticated},
      {"MissingSecurityHeader", Code::kUnauthenticated},
      {"MissingAuthenticationToken", Code::kUnauthenticated},
      {"NotSignedUp", Code::kUnauthenticated},
      {"AccountProblem", Code::kUnauthenticated},
      {"XAdminUserNotFound", Code::kUnauthenticated},  // VersityGW's InvalidAccessKeyId

      {"AccessDenied", Code::kPermissionDenied},
      {"AllAccessDisabled", Code::kPermissionDenied},
  };
  const auto found = codes.find(name);
  return found == codes.end() ? std::nullopt : std::optional(found->second);
}

Code by_status(int status, bool about_object) {
  switch (status) {
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return about_object ? Code::kNotFound : Code::kFailedPrecondition;
    case 405:
    case 412:
    case 501: return Code::kFailedPrecondition;
    case 408:
    case 409: return Code::kAborted;
    case 429:
    case 503:
    case 507: return Code::kResourceExhausted;
    default: break;
  }
  if (status >= 500) return Code::kUnavailable;
  if (status >= 400) return Code::kInvalidArgument;
  return status >= 300 ? Code::kFailedPrecondition : Code::kUnavailable;
}

std::string printable(std::string_view text) {
  std::string clean(text.substr(0, kLongest));
  for (char& c : clean) c = (c >= 0 && c < ' ') || c == '\x7f' ? ' ' : c;
  // Not to end in the middle of a character of UTF-8.
  if (text.size() > kLongest) {
    while (!clean.empty() && (clean.back() & 0xC0) == 0x80) clean.pop_back();
    if (!clean.empty() && (clean.back() & 0x80) != 0) clean.pop_back();
  }
  return clean;
}

}  // namespace

Code classify(int status, std::string_view code, bool about_object) {
  const auto named = by_name(code);
  return named ? *named : by_status(status, about_object);
}

std::string describe(int status, const ErrorDocument& document) {
  std::string text =
      document.code.empty() ? "HTTP " + std::to_string(status) : printable(document.code) + " (" + std::to_string(status) + ")";
  if (!document.message.empty()) text += ": " + printable(document.message);
  std::string where;
  if (!document.request_id.empty()) where += "request id " + printable(document.request_id);
  if (!document.resource.empty()) where += (where.empty() ? "" : ", ") + ("resource " + printable(document.resource));
  return where.empty() ? text : text + " (" + where + ")";
}

}  // namespace fermata::s3
