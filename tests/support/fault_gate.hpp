#pragma once
// A TCP relay in front of a server, which misbehaves as networks do.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fermata::testing {

/// Listens on 127.0.0.1 and relays each connection to a server, until told to do otherwise.
///
/// Lifecycle:  relays from construction to destruction; the destructor closes all connections.
/// Threads:    [any]. One thread of its own relays. A mode is in force when its method returns.
/// Bounds:     16 KiB per connection and direction; it reads no more than it could write.
/// Errors:     the constructor throws std::runtime_error if it cannot listen or `to` names no address. A connection whose
///             server cannot be reached is reset.
class FaultGate {
 public:
  enum class Sender { kServer, kClient };

  /// @param to    "host:port" of the server; need not run yet.
  /// @param port  where to listen; 0 takes any. The port stays ours until destruction, also while cut.
  explicit FaultGate(const std::string& to, std::uint16_t port = 0);
  ~FaultGate();
  FaultGate(const FaultGate&) = delete;
  FaultGate& operator=(const FaultGate&) = delete;

  std::uint16_t port() const { return port_; }
  /// "127.0.0.1:port".
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Relays everything, also what a half-open gate held back.
  void pass();
  /// Closes every connection and refuses new ones.
  void cut();
  /// Accepts and keeps connections but relays nothing, neither bytes nor closing, as if the cable were pulled.
  void half_open();
  /// Relays each chunk after `delay`, and no more than `bytes_per_second` per connection and direction (0: any number).
  void slow(std::chrono::milliseconds delay, std::size_t bytes_per_second = 0);
  /// Relays `bytes` more of what `sender` sends on any connection, then resets that connection; then passes.
  void reset_after(std::size_t bytes, Sender sender = Sender::kServer);

  /// Connections that are open now.
  std::size_t connections() const;

 private:
  class Relay;
  std::unique_ptr<Relay> relay_;
  std::uint16_t port_ = 0;
};

}  // namespace fermata::testing
