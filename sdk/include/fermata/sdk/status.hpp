#pragma once
// The one error vocabulary of Fermata, on both sides of the ABI: the canonical codes of gRPC and a message that says
// what failed, on which object, and what to do.

#include <fermata/abi/base.h>

#include <cassert>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace fermata::sdk {

enum class Code : fermata_code {
  kOk = FERMATA_OK,
  kCancelled = FERMATA_CANCELLED,
  kUnknown = FERMATA_UNKNOWN,
  kInvalidArgument = FERMATA_INVALID_ARGUMENT,
  kDeadlineExceeded = FERMATA_DEADLINE_EXCEEDED,
  kNotFound = FERMATA_NOT_FOUND,
  kAlreadyExists = FERMATA_ALREADY_EXISTS,
  kPermissionDenied = FERMATA_PERMISSION_DENIED,
  kResourceExhausted = FERMATA_RESOURCE_EXHAUSTED,
  kFailedPrecondition = FERMATA_FAILED_PRECONDITION,
  kAborted = FERMATA_ABORTED,
  kOutOfRange = FERMATA_OUT_OF_RANGE,
  kUnimplemented = FERMATA_UNIMPLEMENTED,
  kInternal = FERMATA_INTERNAL,
  kUnavailable = FERMATA_UNAVAILABLE,
  kDataLoss = FERMATA_DATA_LOSS,
  kUnauthenticated = FERMATA_UNAUTHENTICATED,
};

/// The code as operators read it, e.g. "NOT_FOUND".
constexpr std::string_view to_string(Code code) {
  switch (code) {
    case Code::kOk: return "OK";
    case Code::kCancelled: return "CANCELLED";
    case Code::kUnknown: return "UNKNOWN";
    case Code::kInvalidArgument: return "INVALID_ARGUMENT";
    case Code::kDeadlineExceeded: return "DEADLINE_EXCEEDED";
    case Code::kNotFound: return "NOT_FOUND";
    case Code::kAlreadyExists: return "ALREADY_EXISTS";
    case Code::kPermissionDenied: return "PERMISSION_DENIED";
    case Code::kResourceExhausted: return "RESOURCE_EXHAUSTED";
    case Code::kFailedPrecondition: return "FAILED_PRECONDITION";
    case Code::kAborted: return "ABORTED";
    case Code::kOutOfRange: return "OUT_OF_RANGE";
    case Code::kUnimplemented: return "UNIMPLEMENTED";
    case Code::kInternal: return "INTERNAL";
    case Code::kUnavailable: return "UNAVAILABLE";
    case Code::kDataLoss: return "DATA_LOSS";
    case Code::kUnauthenticated: return "UNAUTHENTICATED";
  }
  return "UNKNOWN";
}

/// Success, or a code with a message. A value type; cheap when ok.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status ok() { return {}; }
  bool is_ok() const { return code_ == Code::kOk; }
  explicit operator bool() const { return is_ok(); }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  /// True if the same call may succeed later without anybody changing anything.
  bool retryable() const {
    return code_ == Code::kUnavailable || code_ == Code::kAborted || code_ == Code::kResourceExhausted || code_ == Code::kDeadlineExceeded;
  }

  /// "NOT_FOUND: no location 'x'", for logs.
  std::string text() const {
    if (is_ok()) return "OK";
    return std::string(to_string(code_)) + ": " + message_;
  }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

/// A value, or the Status that says why there is none (never an ok Status).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}        // NOLINT: implicit on purpose
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT: implicit on purpose
    assert(!std::get<1>(state_).is_ok());
  }

  bool is_ok() const { return state_.index() == 0; }
  explicit operator bool() const { return is_ok(); }

  /// The value. Only if is_ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// The error, or an ok Status.
  Status status() const { return is_ok() ? Status::ok() : std::get<1>(state_); }

 private:
  std::variant<T, Status> state_;
};

// Crossing the ABI.

inline fermata_str to_abi(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view from_abi(fermata_str text) { return text.size == 0 ? std::string_view{} : std::string_view{text.data, text.size}; }

/// An empty error buffer, ready to be passed.
inline fermata_error make_error() {
  fermata_error error;
  error.struct_size = sizeof(error);
  error.text_size = 0;
  return error;
}

/// Writes `status` into `error` (may be null), cutting its message at a character boundary, and returns its code.
inline fermata_code to_abi(const Status& status, fermata_error* error) {
  if (error != nullptr && !status.is_ok()) {
    const std::string& message = status.message();
    size_t size = message.size();
    if (size > sizeof(error->text)) {
      size = sizeof(error->text);
      while (size > 0 && (static_cast<unsigned char>(message[size]) & 0xC0u) == 0x80u) --size;
    }
    std::memcpy(error->text, message.data(), size);
    error->text_size = static_cast<uint32_t>(size);
  }
  return static_cast<fermata_code>(status.code());
}

/// The Status that a call across the ABI meant.
inline Status from_abi(fermata_code code, const fermata_error& error) {
  if (code == FERMATA_OK) return {};
  const Code known = code > FERMATA_OK && code <= FERMATA_UNAUTHENTICATED ? static_cast<Code>(code) : Code::kUnknown;
  const size_t size = error.text_size <= sizeof(error.text) ? error.text_size : sizeof(error.text);
  return {known, std::string(error.text, size)};
}

}  // namespace fermata::sdk
