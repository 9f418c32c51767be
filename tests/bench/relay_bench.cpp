// Copying from nginx to nginx as crr does, against a bare loop of one GET and one PUT over two kept sockets. One thread each.
// Usage: bench_relay SOURCE_PORT TARGET_PORT; the source serves /bucket/<size>, the target takes PUTs below /bucket/.
#include "store/s3_access.hpp"
#include "store/s3_source.hpp"
#include "store/s3_store.hpp"

#include <fermata/testing/fake_host.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kBuffer = 256u << 10;

/// A kept connection to a local server, without any care.
class Wire {
 public:
  explicit Wire(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) throw std::runtime_error("no server");
  }
  ~Wire() { ::close(fd_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(std::string_view data) const {
    while (!data.empty()) {
      const ssize_t count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (count <= 0) throw std::runtime_error("sending failed");
      data.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  std::size_t receive(char* data, std::size_t size) const {
    const ssize_t count = ::recv(fd_, data, size, 0);
    if (count <= 0) throw std::runtime_error("receiving failed");
    return static_cast<std::size_t>(count);
  }
  /// Reads a head; what came after it stays in `buffer`. @return where the body begins, and how much is there.
  std::pair<std::size_t, std::size_t> head(std::vector<char>& buffer) const {
    std::size_t filled = 0;
    while (true) {
      filled += receive(buffer.data() + filled, buffer.size() - filled);
      const auto end = std::string_view(buffer.data(), filled).find("\r\n\r\n");
      if (end != std::string_view::npos) return {end + 4, filled};
    }
  }

 private:
  const int fd_;
};

class BareRelay {
 public:
  BareRelay(std::uint16_t source, std::uint16_t target) : source_(source), target_(target), buffer_(kBuffer) {}

  void copy(const std::string& key, std::size_t size) {
    source_.send("GET /bucket/" + key + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    auto [begin, filled] = source_.head(buffer_);
    std::string request =
        "PUT /bucket/" + key + ".bare HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
    request.append(buffer_.data() + begin, filled - begin);
    target_.send(request);
    for (std::size_t left = size - (filled - begin); left > 0;) {
      const std::size_t count = source_.receive(buffer_.data(), std::min(left, buffer_.size()));
      target_.send({buffer_.data(), count});
      left -= count;
    }
    target_.head(buffer_);
  }

 private:
  const Wire source_;
  const Wire target_;
  std::vector<char> buffer_;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Figures {
  double per_second = 0;
  double cpu_ms = 0;
};

/// The best of some rounds, as others use the machine, too.
Figures measure(std::size_t count, const std::function<void()>& copy) {
  constexpr int kRounds = 3;
  Figures best;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = SteadyClock::now();
    const double cpu = cpu_seconds();
    for (std::size_t i = 0; i < count; ++i) copy();
    const double rate = static_cast<double>(count) / std::chrono::duration<double>(SteadyClock::now() - begin).count();
    if (rate > best.per_second) best = {rate, (cpu_seconds() - cpu) * 1e3 / static_cast<double>(count)};
  }
  return best;
}

std::shared_ptr<s3::Client> client_at(std::uint16_t port) {
  S3Settings settings;
  settings.endpoint = "http://127.0.0.1:" + std::to_string(port);
  settings.access_key = "access";
  settings.secret_key = "secret";
  auto client = make_s3_client(settings, 2);
  if (!client) throw std::runtime_error(client.status().text());
  return *client;
}

void run(std::uint16_t source_port, std::uint16_t target_port) {
  Cancellation cancellation;
  S3Source source(client_at(source_port), cancellation);
  LocationSettings location;
  location.name = "nginx";
  location.create_buckets = false;
  sdk::testing::FakeHost fake;
  const sdk::Host host(fake.raw());
  S3Store store(location, client_at(target_port), host);
  BareRelay bare(source_port, target_port);
  struct Size {
    const char* key;
    std::size_t bytes;
    std::size_t count;
  };
  for (const auto& [key, bytes, count] : {Size{"4K", 4u << 10, 3'000}, Size{"1M", 1u << 20, 200}, Size{"100M", 100u << 20, 4}}) {
    const Figures peer = measure(count, [&, key = key, bytes = bytes] { bare.copy(key, bytes); });
    const Figures own = measure(count, [&, key = key] {
      const ObjectId id{"bucket", key};
      auto reader = source.open(id, {});
      if (!reader) throw std::runtime_error(reader.status().text());
      if (auto stored = store.put(id, **reader); !stored) throw std::runtime_error(stored.status().text());
    });
    std::printf("%-5s bare relay %8.1f/s %7.2f ms CPU; crr %8.1f/s %7.2f ms CPU; %.2f of the bare relay\n", key, peer.per_second,
                peer.cpu_ms, own.per_second, own.cpu_ms, own.per_second / peer.per_second);
  }
}

}  // namespace
}  // namespace fermata::crr

int main(int count, char** arguments) {
  if (count != 3) return 2;
  try {
    fermata::crr::run(static_cast<std::uint16_t>(std::atoi(arguments[1])), static_cast<std::uint16_t>(std::atoi(arguments[2])));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_relay: %s\n", error.what());
    return 1;
  }
}
