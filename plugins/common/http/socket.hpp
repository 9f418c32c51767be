#pragma once

#include "http/lookup.hpp"
#include "http/time.hpp"

#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace fermata::http {

/// How a try to move bytes went that never blocks.
struct Io {
  enum class Kind {
    kBytes,       ///< `size` of them, at least one
    kWantsRead,   ///< nothing moved; try again when the socket is readable
    kWantsWrite,  ///< ... writable
    kEnd,         ///< the peer has ended its side in good order
    kError,       ///< `text` says why
  };
  Kind kind = Kind::kError;
  std::size_t size = 0;
  std::string text = {};
};

/// A TCP socket that never blocks in a read or a write, and waits only in `wait`.
///
/// Threads: one at a time, but `interrupt`: [any].
class Socket {
 public:
  Socket() = default;
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// Tries the addresses one after the other; each gets an even share of the time that is left.
  Status connect(std::span<const Address> addresses, Deadline deadline);

  Io read(std::span<char> buffer);
  /// As read, but leaves the bytes where they are.
  Io peek(std::span<char> buffer);
  Io write(std::string_view data);

  /// Blocks until one of `events` (POLLIN, POLLOUT) or an error is there. @return what is there; 0: `deadline` has passed.
  short wait(short events, Deadline deadline) const;

  /// Ends what runs on the socket and what would. Final. [any]
  void interrupt();
  const std::atomic<bool>& interrupted() const { return interrupted_; }

 private:
  Status connect_to(const Address& address, Deadline deadline);
  bool open(int family);
  void close();
  Io receive(std::span<char> buffer, int flags);

  std::atomic<bool> interrupted_ = false;
  std::mutex mutex_;  // so that `interrupt` meets no descriptor that is being closed
  int fd_ = -1;       // written under mutex_
};

}  // namespace fermata::http
