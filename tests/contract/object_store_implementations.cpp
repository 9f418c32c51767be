#include "object_store_implementations.hpp"

#include "store/filesystem_source.hpp"
#include "store/filesystem_store.hpp"
#include "store/s3_access.hpp"
#include "store/s3_source.hpp"
#include "store/s3_store.hpp"

#include <fermata/testing/fake_host.hpp>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <system_error>

namespace fermata::crr::testing {
namespace {

class FilesystemUnderTest final : public StoreUnderTest {
 public:
  FilesystemUnderTest()
      : store_("paris", root_.path, cancellation_),
        source_(std::make_shared<const SourceRoot>(root_.path, [] { return false; }), cancellation_) {}
  ObjectStore& store() override { return store_; }
  ObjectSource& reader() override { return source_; }
  std::string bucket() const override { return "bucket"; }
  bool keeps_versions() const override { return false; }

 private:
  struct Directory {
    Directory() {
      std::string name = std::filesystem::temp_directory_path() / "fermata-store-XXXXXX";
      if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory for the test");
      path = name;
    }
    ~Directory() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path;
  };

  Directory root_;
  Cancellation cancellation_;
  FilesystemStore store_;
  FilesystemSource source_;
};

/// Reads "http://access:secret@host:port".
S3Settings parse_url(const std::string& url) {
  const std::size_t scheme = url.find("://") + 3;
  const std::size_t at = url.find('@', scheme);
  const std::size_t colon = url.rfind(':', at);  // Swift's access keys are "account:user"
  S3Settings settings;
  settings.access_key = url.substr(scheme, colon - scheme);
  settings.secret_key = url.substr(colon + 1, at - colon - 1);
  settings.endpoint = url.substr(0, scheme) + url.substr(at + 1);
  return settings;
}

class S3UnderTest final : public StoreUnderTest {
 public:
  S3UnderTest(S3Settings settings, S3Powers powers) : powers_(powers) {
    if (!powers.chunked) settings.payload_signing = s3::Options::Payload::kUnsigned;
    auto client = make_s3_client(settings, 16);
    if (!client) throw std::runtime_error(client.status().text());
    client_ = std::move(*client);
    bucket_ = "contract-" + std::to_string(std::random_device{}());
    if (auto status = client_->create_bucket(bucket_); !status) throw std::runtime_error(status.text());
    if (auto status = client_->enable_versioning(bucket_); !status) throw std::runtime_error(status.text());
    LocationSettings location;
    location.name = "paris";
    store_ = std::make_unique<S3Store>(location, client_, host_);
    source_ = std::make_unique<S3Source>(client_, cancellation_);
  }
  ObjectStore& store() override { return *store_; }
  ObjectSource& reader() override { return *source_; }
  std::string bucket() const override { return bucket_; }
  bool keeps_versions() const override { return true; }
  bool takes_empty_parts() const override { return powers_.empty_parts; }
  std::string make_bare_bucket() override {
    if (auto status = client_->create_bucket(bucket_ + "-bare"); !status) throw std::runtime_error(status.text());
    return bucket_ + "-bare";
  }
  std::size_t unfinished_uploads() override {
    const auto uploads = client_->list_uploads(bucket_, "k");
    if (!uploads) throw std::runtime_error(uploads.status().text());
    return uploads->size();
  }
  std::string begin_upload(const ObjectId& id, bool ours) override {
    auto upload = client_->create_upload({id.bucket, id.key}, {}, {});
    if (!upload) throw std::runtime_error(upload.status().text());
    if (ours && !UploadLedger(host_, "paris").begun(id, *upload)) throw std::runtime_error("not kept");
    return *upload;
  }

 private:
  const S3Powers powers_;
  sdk::testing::FakeHost fake_;
  const sdk::Host host_{fake_.raw()};
  Cancellation cancellation_;
  std::shared_ptr<s3::Client> client_;
  std::string bucket_;
  std::unique_ptr<S3Store> store_;
  std::unique_ptr<S3Source> source_;
};

}  // namespace

std::unique_ptr<StoreUnderTest> make_filesystem_store() { return std::make_unique<FilesystemUnderTest>(); }

std::unique_ptr<StoreUnderTest> make_s3_store(const std::string& url, S3Powers powers) {
  return std::make_unique<S3UnderTest>(parse_url(url), powers);
}

}  // namespace fermata::crr::testing
