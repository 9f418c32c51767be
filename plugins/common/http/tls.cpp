#include "http/tls.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <climits>
#include <stdexcept>

namespace fermata::http {

namespace {

/// The newest error of OpenSSL on this thread, and an empty queue.
std::string openssl_error() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason != nullptr ? reason : "TLS failed";
  ERR_clear_error();
  return text;
}

int bounded(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE in whatever process we are in. Hence one of ours.

/// As OpenSSL wants it from a BIO: bytes moved, 0 for the end, -1 with or without the flag to try again.
int bio_result(BIO* bio, const Io& io) {
  BIO_clear_retry_flags(bio);
  switch (io.kind) {
    case Io::Kind::kBytes: return static_cast<int>(io.size);
    case Io::Kind::kWantsRead: BIO_set_retry_read(bio); return -1;
    case Io::Kind::kWantsWrite: BIO_set_retry_write(bio); return -1;
    case Io::Kind::kEnd: return 0;
    case Io::Kind::kError: return -1;
  }
  return -1;
}

int bio_read(BIO* bio, char* data, int size) {
  auto& socket = *static_cast<Socket*>(BIO_get_data(bio));
  return bio_result(bio, socket.read({data, static_cast<std::size_t>(size)}));
}

int bio_write(BIO* bio, const char* data, int size) {
  auto& socket = *static_cast<Socket*>(BIO_get_data(bio));
  return bio_result(bio, socket.write({data, static_cast<std::size_t>(size)}));
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

struct FreeMethod {
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

BIO_METHOD* socket_method() {
  static const std::unique_ptr<BIO_METHOD, FreeMethod> method = [] {
    std::unique_ptr<BIO_METHOD, FreeMethod> made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fermata socket"));
    BIO_meth_set_read(made.get(), bio_read);
    BIO_meth_set_write(made.get(), bio_write);
    BIO_meth_set_ctrl(made.get(), bio_control);
    return made;
  }();
  return method.get();
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

void expect_host(SSL* ssl, const std::string& host) {
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    return;
  }
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_set1_host(ssl, host.c_str());
  SSL_set_tlsext_host_name(ssl, host.c_str());
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::make(const ClientOptions& options) {
  auto made = std::make_shared<TlsContext>();
  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = made->context_.get();
  if (context == nullptr) return Status{Code::kInternal, "OpenSSL makes no TLS context: " + openssl_error()};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  if (!options.verify_peer) return made;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  const bool trusted = options.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                               : SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) == 1;
  if (!trusted)
    return Status{Code::kInvalidArgument, "no certificates could be read from CA file '" + options.ca_file + "': " + openssl_error()};
  return made;
}

TlsStream::TlsStream(Socket& socket, const TlsContext& context, const std::string& host) : ssl_(SSL_new(context.get())) {
  BIO* bio = ssl_ ? BIO_new(socket_method()) : nullptr;
  if (bio == nullptr) throw std::runtime_error("OpenSSL makes no TLS connection: " + openssl_error());
  BIO_set_data(bio, &socket);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  expect_host(ssl_.get(), host);
}

Io TlsStream::handshake() {
  ERR_clear_error();
  const int result = SSL_connect(ssl_.get());
  if (result == 1) return {.kind = Io::Kind::kBytes, .size = 1};
  Io io = outcome(result);
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (io.kind == Io::Kind::kError && verdict != X509_V_OK) {
    io.text = std::string("the certificate was refused: ") + X509_verify_cert_error_string(verdict);
  }
  return io;
}

Io TlsStream::read(std::span<char> buffer) {
  ERR_clear_error();
  return outcome(SSL_read(ssl_.get(), buffer.data(), bounded(buffer.size())));
}

Io TlsStream::peek(std::span<char> buffer) {
  ERR_clear_error();
  return outcome(SSL_peek(ssl_.get(), buffer.data(), bounded(buffer.size())));
}

Io TlsStream::write(std::string_view data) {
  ERR_clear_error();
  return outcome(SSL_write(ssl_.get(), data.data(), bounded(data.size())));
}

Io TlsStream::outcome(int result) const {
  if (result > 0) return {.kind = Io::Kind::kBytes, .size = static_cast<std::size_t>(result)};
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return {.kind = Io::Kind::kWantsRead};
    case SSL_ERROR_WANT_WRITE: return {.kind = Io::Kind::kWantsWrite};
    case SSL_ERROR_ZERO_RETURN: return {.kind = Io::Kind::kEnd};
    case SSL_ERROR_SYSCALL: return {.kind = Io::Kind::kError, .text = "the connection broke"};
    default: return {.kind = Io::Kind::kError, .text = openssl_error()};
  }
}

}  // namespace fermata::http
