#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace fermata::test {

struct FreeOpenSsl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

/// A certificate authority made for a test, with its certificate in a file that goes with it.
class Authority {
 public:
  explicit Authority(const std::string& name);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& file() const { return file_; }
  /// What a server needs whose certificate is for `names`, e.g. "DNS:localhost,IP:127.0.0.1".
  std::unique_ptr<SSL_CTX, FreeOpenSsl> server(const std::string& names) const;

 private:
  std::unique_ptr<EVP_PKEY, FreeOpenSsl> key_;
  std::unique_ptr<X509, FreeOpenSsl> certificate_;
  std::string file_;
};

}  // namespace fermata::test
