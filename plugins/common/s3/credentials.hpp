#pragma once

#include <string>
#include <utility>

namespace fermata::s3 {

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token = {};
};

/// Where credentials come from; asked for each request, so that they may change. Threads: [any].
class CredentialsSource {
 public:
  virtual ~CredentialsSource() = default;
  virtual Credentials current() const = 0;
};

class FixedCredentials final : public CredentialsSource {
 public:
  explicit FixedCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  Credentials current() const override { return credentials_; }

 private:
  const Credentials credentials_;
};

}  // namespace fermata::s3
