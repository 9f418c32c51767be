#pragma once

#include <chrono>

namespace fermata::http {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

inline Deadline after(std::chrono::milliseconds time) { return Clock::now() + time; }

}  // namespace fermata::http
