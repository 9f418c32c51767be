#include "telemetry/fd_sink.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fermata::telemetry {
namespace {

constexpr int kStallMs = 1'000;

int open_for_append(const std::string& file) { return ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640); }

}  // namespace

FdSink::FdSink(std::string file) : file_(std::move(file)), fd_(file_.empty() ? STDERR_FILENO : open_for_append(file_)) {
  if (fd_ < 0)
    throw std::runtime_error("log file '" + file_ + "' cannot be opened: " + std::generic_category().message(errno) +
                             "; check log.file, its folder and its permissions");
}

FdSink::~FdSink() {
  if (!file_.empty()) ::close(fd_);
}

bool FdSink::wait_writable() {
  pollfd watched{fd_, POLLOUT, 0};
  const int ready = ::poll(&watched, 1, stalled_ ? 0 : kStallMs);
  stalled_ = ready == 0;
  return !stalled_;
}

bool FdSink::write(std::string_view line) {
  while (!line.empty()) {
    if (!wait_writable()) return false;
    // A pipe that polls as writable takes this much without blocking.
    const ssize_t written = ::write(fd_, line.data(), std::min<std::size_t>(line.size(), PIPE_BUF));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) line.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool FdSink::reopen() {
  if (file_.empty()) return true;
  const int fresh = open_for_append(file_);
  if (fresh < 0) return false;
  ::close(std::exchange(fd_, fresh));
  return true;
}

}  // namespace fermata::telemetry
