#include "store/checksum.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace fermata::crr {

struct Checksum::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Checksum::Checksum() : context_(std::make_unique<Context>()) {
  if (EVP_DigestInit_ex(context_->evp, EVP_md5(), nullptr) != 1) throw std::runtime_error("OpenSSL offers no MD5");
}

Checksum::~Checksum() = default;

void Checksum::update(std::span<const char> data) { EVP_DigestUpdate(context_->evp, data.data(), data.size()); }

std::string Checksum::finish() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->evp, digest.data(), &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace fermata::crr
