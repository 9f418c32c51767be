#pragma once

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>

namespace fermata::kafka {

/// Wakes a thread: by raise, or by librdkafka when one of its queues is no longer empty. Threads: [any].
///
/// librdkafka writes to a file descriptor instead of calling us, so that none of our code runs on its threads, under its
/// locks.
class Signal {
 public:
  Signal() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Signal() { close(fd_); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void raise() { static_cast<void>(eventfd_write(fd_, 1)); }
  /// Takes back what was raised. @return whether it was.
  bool take() {
    eventfd_t count = 0;
    return eventfd_read(fd_, &count) == 0;
  }
  /// From now on until the queue dies, or this ends.
  void raise_for(rd_kafka_queue_t* queue) {
    const std::uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, fd_, &one, sizeof(one));
  }
  pollfd wanted() const { return {.fd = fd_, .events = POLLIN, .revents = 0}; }

 private:
  const int fd_;
};

}  // namespace fermata::kafka
