#include "support/fault_gate.hpp"

#include "contract/eventually.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <boost/asio.hpp>

#include <atomic>
#include <list>
#include <string>
#include <thread>

namespace fermata::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr int kNothingMs = 50;  // how long silence has to last to count as such

/// Sends back what it receives.
class Echo {
 public:
  Echo() : acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Echo() {
    io_.stop();
    thread_.join();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

 private:
  struct Peer {
    explicit Peer(tcp::socket from) : socket(std::move(from)) {}
    tcp::socket socket;
    std::string buffer = std::string(64 * 1024, '\0');
  };
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) return;
      peers_.emplace_back(std::move(socket));
      read(peers_.back());
      accept();
    });
  }
  void read(Peer& peer) {
    peer.socket.async_read_some(asio::buffer(peer.buffer), [this, &peer](boost::system::error_code error, std::size_t size) {
      if (error) return peer.socket.close();
      asio::async_write(peer.socket, asio::buffer(peer.buffer, size), [this, &peer](boost::system::error_code failed, std::size_t) {
        if (failed) return peer.socket.close();
        read(peer);
      });
    });
  }

  asio::io_context io_{1};
  std::list<Peer> peers_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

/// A blocking client whose reads give up.
class Client {
 public:
  explicit Client(const FaultGate& gate) : socket_(io_) {
    boost::system::error_code error;
    socket_.connect({asio::ip::address_v4::loopback(), gate.port()}, error);
    connected_ = !error;
  }
  bool connected() const { return connected_; }
  bool send(const std::string& text) {
    boost::system::error_code error;
    asio::write(socket_, asio::buffer(text), error);
    return !error;
  }
  /// Whether there is something to read (bytes, end or reset) within `ms`.
  bool readable(int ms) {
    pollfd entry{socket_.native_handle(), POLLIN, 0};
    return ::poll(&entry, 1, ms) > 0;
  }
  /// Up to `size` bytes; fewer at the end, a reset (see error()) or after 20 s.
  std::string receive(std::size_t size) {
    std::string text(size, '\0');
    std::size_t got = 0;
    while (got < size && readable(20'000)) {
      const auto part = socket_.read_some(asio::buffer(text.data() + got, size - got), error_);
      if (error_) break;
      got += part;
    }
    text.resize(got);
    return text;
  }
  boost::system::error_code error() const { return error_; }
  void close_sending() { socket_.shutdown(tcp::socket::shutdown_send); }

 private:
  asio::io_context io_;
  tcp::socket socket_;
  boost::system::error_code error_;
  bool connected_ = false;
};

TEST(FaultGate, PassesBothDirectionsAndTheEnd) {
  Echo echo;
  FaultGate gate(echo.address());
  Client client(gate);
  const std::string text(300'000, 'x');
  std::thread sender([&] { EXPECT_TRUE(client.send(text)); });
  EXPECT_EQ(client.receive(text.size()), text);
  sender.join();
  EXPECT_EQ(gate.connections(), 1U);
  client.close_sending();
  EXPECT_EQ(client.receive(1), "");
  EXPECT_EQ(client.error(), asio::error::eof);
  EXPECT_TRUE(eventually([&] { return gate.connections() == 0; }));
}

TEST(FaultGate, RefusesAndClosesWhileCutAndComesBackOnTheSamePort) {
  Echo echo;
  FaultGate gate(echo.address());
  for (int round = 0; round < 3; ++round) {
    Client client(gate);
    client.send("a");
    EXPECT_EQ(client.receive(1), "a");
    gate.cut();
    EXPECT_EQ(client.receive(1), "");
    EXPECT_TRUE(client.error());
    EXPECT_FALSE(Client(gate).connected());
    gate.pass();
    Client again(gate);
    ASSERT_TRUE(again.connected());
    again.send("b");
    EXPECT_EQ(again.receive(1), "b");
  }
}

TEST(FaultGate, HoldsBackEverythingWhileHalfOpenAndDeliversItLater) {
  Echo echo;
  FaultGate gate(echo.address());
  Client old(gate);
  old.send("a");
  EXPECT_EQ(old.receive(1), "a");
  gate.half_open();
  Client fresh(gate);
  EXPECT_TRUE(fresh.connected());
  old.send("b");
  fresh.send("c");
  EXPECT_FALSE(old.readable(kNothingMs));
  EXPECT_FALSE(fresh.readable(kNothingMs));
  gate.pass();
  EXPECT_EQ(old.receive(1), "b");
  EXPECT_EQ(fresh.receive(1), "c");
}

TEST(FaultGate, CutsAlsoWhatIsHalfOpen) {
  Echo echo;
  FaultGate gate(echo.address());
  gate.half_open();
  Client client(gate);
  EXPECT_TRUE(eventually([&] { return gate.connections() == 1; }));
  gate.cut();
  EXPECT_EQ(client.receive(1), "");
  EXPECT_TRUE(client.error());
}

TEST(FaultGate, DelaysEachChunkInBothDirections) {
  Echo echo;
  FaultGate gate(echo.address());
  gate.slow(100ms);
  Client client(gate);
  const auto start = std::chrono::steady_clock::now();
  client.send("a");
  EXPECT_EQ(client.receive(1), "a");
  EXPECT_GE(std::chrono::steady_clock::now() - start, 200ms);
}

TEST(FaultGate, KeepsBelowTheRate) {
  Echo echo;
  FaultGate gate(echo.address());
  gate.slow(0ms, 20'000);
  Client client(gate);
  const auto start = std::chrono::steady_clock::now();
  client.send(std::string(6'000, 'x'));
  EXPECT_EQ(client.receive(6'000).size(), 6'000U);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
}

TEST(FaultGate, ResetsOnceInTheMiddleOfTheServersAnswer) {
  Echo echo;
  FaultGate gate(echo.address());
  gate.reset_after(100);
  Client client(gate);
  client.send(std::string(150, 'x'));
  EXPECT_EQ(client.receive(150).size(), 100U);
  EXPECT_EQ(client.error(), asio::error::connection_reset);
  Client next(gate);
  next.send(std::string(150, 'x'));
  EXPECT_EQ(next.receive(150).size(), 150U);
}

TEST(FaultGate, ResetsInTheMiddleOfTheClientsRequest) {
  Echo echo;
  FaultGate gate(echo.address());
  gate.reset_after(40, FaultGate::Sender::kClient);
  Client client(gate);
  client.send(std::string(30, 'x'));
  EXPECT_EQ(client.receive(30).size(), 30U);
  client.send(std::string(30, 'x'));
  EXPECT_LE(client.receive(30).size(), 10U);
  EXPECT_EQ(client.error(), asio::error::connection_reset);
}

TEST(FaultGate, ReadsNoMoreThanItCanWrite) {
  Echo echo;
  FaultGate gate(echo.address());
  gate.half_open();
  Client client(gate);
  std::atomic<bool> sent = false;
  std::thread sender([&] {
    client.send(std::string(64 << 20, 'x'));
    sent = true;
  });
  EXPECT_FALSE(client.readable(4 * kNothingMs));
  EXPECT_FALSE(sent);
  gate.cut();
  sender.join();
}

TEST(FaultGate, ResetsConnectionsWhoseServerIsGone) {
  std::string address;
  {
    Echo echo;
    address = echo.address();
  }
  FaultGate gate(address);
  Client client(gate);
  EXPECT_EQ(client.receive(1), "");
  EXPECT_TRUE(client.error());
  EXPECT_TRUE(eventually([&] { return gate.connections() == 0; }));
}

TEST(FaultGate, SaysWhatIsWrongWithItsAddress) { EXPECT_THROW(FaultGate("nonsense"), std::runtime_error); }

}  // namespace
}  // namespace fermata::testing
