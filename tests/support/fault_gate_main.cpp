// fault_gate --listen PORT --to HOST:PORT: prints its port, then obeys the lines of stdin and answers each with "ok".
#include "support/fault_gate.hpp"

#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

namespace {

using fermata::testing::FaultGate;

constexpr auto kCommands = "pass, cut, half-open, slow MS [BYTES_PER_SECOND], reset-after BYTES [client], connections, quit";

std::string obey(FaultGate& gate, const std::string& line) {
  std::istringstream words(line);
  std::string verb, more;
  std::size_t number = 0, second = 0;
  words >> verb;
  if (verb == "pass") {
    gate.pass();
  } else if (verb == "cut") {
    gate.cut();
  } else if (verb == "half-open") {
    gate.half_open();
  } else if (verb == "slow" && words >> number) {
    if (!(words >> second)) second = 0;
    gate.slow(std::chrono::milliseconds(number), second);
  } else if (verb == "reset-after" && words >> number) {
    gate.reset_after(number, words >> more && more == "client" ? FaultGate::Sender::kClient : FaultGate::Sender::kServer);
  } else if (verb == "connections") {
    return "ok " + std::to_string(gate.connections());
  } else {
    return "error: '" + line + "' is none of: " + kCommands;
  }
  return "ok";
}

int serve(const std::string& to, std::uint16_t port) {
  FaultGate gate(to, port);
  std::cout << gate.port() << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) std::cout << obey(gate, line) << std::endl;
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  std::string to;
  int port = 0;
  for (int at = 1; at + 1 < count; at += 2) {
    if (arguments[at] == std::string("--listen")) port = std::atoi(arguments[at + 1]);
    if (arguments[at] == std::string("--to")) to = arguments[at + 1];
  }
  if (to.empty()) {
    std::fputs("usage: fault_gate [--listen PORT] --to HOST:PORT\n", stderr);
    return 2;
  }
  try {
    return serve(to, static_cast<std::uint16_t>(port));
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "fault_gate: %s\n", problem.what());
    return 1;
  }
}
