#pragma once

#include "base/status.hpp"

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace fermata::plugin {

/// Runs `call`, which enters a plugin and returns a Status, and turns what escapes from it into kInternal with its text.
/// @param what  begins the message, e.g. "plugin 'crr': init".
template <typename Call>
Status fenced(std::string_view what, Call&& call) {
  try {
    return std::forward<Call>(call)();
  } catch (const std::exception& thrown) {
    return {Code::kInternal, std::string(what) + " threw an exception: " + thrown.what()};
  } catch (...) {
    return {Code::kInternal, std::string(what) + " threw something that is not a std::exception"};
  }
}

}  // namespace fermata::plugin
