#include "http/lookup.hpp"

#include <netdb.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace fermata::http {

namespace {

Result<std::vector<Address>> addresses_of(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return Status{Code::kUnavailable, "'" + host + "' was not found: " + ::gai_strerror(error)};
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Address& address = addresses.emplace_back();
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace

NameLookup::NameLookup(std::string host, std::uint16_t port) : host_(std::move(host)), port_(std::to_string(port)) {}

NameLookup::~NameLookup() {
  if (thread_.joinable()) thread_.join();
}

Result<std::vector<Address>> NameLookup::find(Deadline deadline, const std::atomic<bool>& interrupted) {
  if (auto numeric = addresses_of(host_, port_, AI_NUMERICHOST)) return numeric;
  std::unique_lock lock(mutex_);
  if (!running_) begin();
  const std::shared_ptr<Answer> answer = answer_;
  const auto settled = [&] { return answer_ != answer || !running_ || interrupted.load(); };
  if (!changed_.wait_until(lock, deadline, settled)) return Status{Code::kUnavailable, "looking up '" + host_ + "' took too long"};
  if (interrupted.load()) return Status{Code::kUnavailable, "interrupted"};
  return *answer;
}

void NameLookup::wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void NameLookup::begin() {
  if (thread_.joinable()) thread_.join();  // it has ended, or is about to: it does nothing after it was done
  answer_ = std::make_shared<Answer>(Status{Code::kUnavailable, "not looked up"});
  thread_ = std::thread([this] { run(); });  // it waits for the lock that we hold
  running_ = true;
}

void NameLookup::run() {
  Answer found = addresses_of(host_, port_, 0);
  const std::lock_guard lock(mutex_);
  *answer_ = std::move(found);
  running_ = false;
  changed_.notify_all();
}

}  // namespace fermata::http
