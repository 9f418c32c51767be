#pragma once

#include "http/client.hpp"
#include "http/socket.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace fermata::http {

/// What all TLS connections to an endpoint share: the authorities that are trusted. Threads: [any].
class TlsContext {
 public:
  /// kInvalidArgument: the CA file cannot be used.
  static Result<std::shared_ptr<TlsContext>> make(const ClientOptions& options);

  SSL_CTX* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
};

/// TLS 1.2 or later over a socket that is connected, in the client's part. Never blocks. Threads: one at a time.
class TlsStream {
 public:
  /// @param socket  borrowed. @param host  whose name or address the certificate must bear; a name is told in SNI as well.
  TlsStream(Socket& socket, const TlsContext& context, const std::string& host);

  /// kBytes when it is done.
  Io handshake();
  Io read(std::span<char> buffer);
  Io peek(std::span<char> buffer);
  Io write(std::string_view data);

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  /// What a call of OpenSSL that returned `result` meant.
  Io outcome(int result) const;

  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace fermata::http
