#pragma once

#include "http/client.hpp"
#include "http/lookup.hpp"
#include "http/socket.hpp"
#include "http/time.hpp"
#include "http/tls.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::http {

/// One connection to an endpoint, and what was read from it but not yet used. Blocks in `poll`, each time with a deadline.
///
/// Threads: one at a time, but `interrupt`: [any].
/// Errors:  kUnavailable; messages say what went wrong, and leave the endpoint to the caller.
class Connection {
 public:
  static constexpr std::size_t kMaxInput = 72 * 1024;    ///< more than the largest head, and any line of a chunked body
  static constexpr std::size_t kMaxOutput = 128 * 1024;  ///< sent at one time

  /// Name look-up, TCP and TLS. Once, first. @param tls  null: none.
  Status open(const Endpoint& endpoint, NameLookup& lookup, const TlsContext* tls, Deadline deadline);

  /// Nothing is there to read and the peer has not left, as far as is known. Never blocks.
  bool quiet();

  enum class Sent { kWhole, kAnswered };
  /// Sends all of `data`, unless bytes come from the peer first; leaves in it what was not sent.
  /// @param idle  longest wait between two bytes.
  Result<Sent> write(std::string_view& data, std::chrono::milliseconds idle);
  /// The next bytes; 0: the peer has ended. Passes the input by: only when `input` is empty.
  Result<std::size_t> read(std::span<char> buffer, Deadline deadline);
  /// Waits until something can be read, or the peer has ended; false: not until `deadline`.
  Result<bool> wait_for_input(Deadline deadline);

  /// What was read and not yet used.
  std::string_view input() const { return std::string_view(input_.data(), input_.size()).substr(used_, filled_ - used_); }
  void use(std::size_t size) { used_ += size; }
  /// Reads more into `input`; false: the peer has ended. kUnavailable if there are kMaxInput bytes already.
  Result<bool> fill(Deadline deadline);

  /// A buffer for what goes out, at least `size` bytes, at most kMaxOutput.
  std::span<char> output(std::size_t size);

  std::uint64_t bytes_sent() const { return bytes_sent_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

  /// The peer has ended the connection, or it broke by itself.
  bool ended() const { return ended_ && !socket_.interrupted(); }

  void interrupt() { socket_.interrupt(); }

  Deadline kept_since{};  ///< when it was given back to the pool

 private:
  Status shake_hands(Deadline deadline);
  Io try_read(std::span<char> buffer) { return tls_ ? tls_->read(buffer) : socket_.read(buffer); }
  Io try_peek(std::span<char> buffer) { return tls_ ? tls_->peek(buffer) : socket_.peek(buffer); }
  Io try_write(std::string_view data) { return tls_ ? tls_->write(data) : socket_.write(data); }
  /// Waits for what `io` wants; kUnavailable when the deadline has passed.
  Status wait_for(const Io& io, Deadline deadline);
  Status failure(std::string_view what) const;

  Socket socket_;
  std::optional<TlsStream> tls_;
  std::vector<char> input_;
  std::size_t used_ = 0;
  std::size_t filled_ = 0;
  std::vector<char> output_;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  bool ended_ = false;
};

}  // namespace fermata::http
