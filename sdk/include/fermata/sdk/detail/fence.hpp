#pragma once
// Exceptions must not cross the ABI. A fence turns one into its text; an UnwindMark lets the fence, which knows that text,
// end a promise (Delivery, Batch) that the exception's unwinding would otherwise have ended with a vague one.

#include <fermata/sdk/status.hpp>

#include <exception>
#include <string>
#include <utility>

namespace fermata::sdk::detail {

/// While it lives, a promise for `handle` that this thread drops in the course of an exception is left to the mark's owner.
class UnwindMark {
 public:
  explicit UnwindMark(const void* handle) : handle_(handle), outer_(current_), exceptions_(std::uncaught_exceptions()) { current_ = this; }
  ~UnwindMark() { current_ = outer_; }
  UnwindMark(const UnwindMark&) = delete;
  UnwindMark& operator=(const UnwindMark&) = delete;

  /// Called by a promise as it is dropped: true if the owner of the current mark ends it instead.
  static bool leave(const void* handle) {
    if (current_ == nullptr || current_->handle_ != handle || std::uncaught_exceptions() <= current_->exceptions_) return false;
    current_->left_ = true;
    return true;
  }
  /// True if the promise was left to the owner, who must end it.
  bool left() const { return left_; }

 private:
  static inline constinit thread_local UnwindMark* current_ = nullptr;

  const void* handle_;
  UnwindMark* outer_;
  int exceptions_;
  bool left_ = false;
};

/// The text of the exception being handled. Only within a catch block.
inline std::string exception_text() {
  try {
    throw;
  } catch (const std::exception& e) {
    return std::string("exception: ") + e.what();
  } catch (...) {
    return "exception of an unknown type";
  }
}

/// Calls `call`, which returns a Status; an exception becomes kInternal with its text.
template <typename Call>
Status fenced(Call&& call) {
  try {
    return std::forward<Call>(call)();
  } catch (...) {
    return {Code::kInternal, exception_text()};
  }
}

}  // namespace fermata::sdk::detail
