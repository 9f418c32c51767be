#include "certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

namespace fermata::test {

namespace {

using Key = std::unique_ptr<EVP_PKEY, FreeOpenSsl>;
using Certificate = std::unique_ptr<X509, FreeOpenSsl>;

Key make_key() { return Key(EVP_EC_gen("P-256")); }

Certificate make_certificate(EVP_PKEY* key, const std::string& name, long serial) {
  Certificate made(X509_new());
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()),
                             -1, -1, 0);
  return made;
}

void extend(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string write_to_file(X509* certificate) {
  std::string path = (std::filesystem::temp_directory_path() / "fermata-ca-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  std::FILE* file = fd >= 0 ? ::fdopen(fd, "w") : nullptr;
  if (file == nullptr) throw std::runtime_error("no temporary file");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  return path;
}

}  // namespace

Authority::Authority(const std::string& name) : key_(make_key()), certificate_(make_certificate(key_.get(), name, 1)) {
  X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
  extend(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  file_ = write_to_file(certificate_.get());
}

Authority::~Authority() { std::filesystem::remove(file_); }

std::unique_ptr<SSL_CTX, FreeOpenSsl> Authority::server(const std::string& names) const {
  const Key key = make_key();
  const Certificate certificate = make_certificate(key.get(), "fermata test server", 2);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
  extend(certificate.get(), NID_subject_alt_name, names);
  X509_sign(certificate.get(), key_.get(), EVP_sha256());
  std::unique_ptr<SSL_CTX, FreeOpenSsl> context(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 || SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    throw std::runtime_error("no TLS server");
  }
  return context;
}

}  // namespace fermata::test
