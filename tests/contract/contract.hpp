#pragma once
// What every implementation of a port must do. A suite is parameterised over implementations; a file such as
// embedded_implementations.cpp adds one: it makes providers and instantiates the suites of the ports it has.

#include "ports/fanout.hpp"
#include "ports/key_value_store.hpp"
#include "ports/leases.hpp"
#include "ports/queue.hpp"
#include "ports/state_store.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

namespace fermata::testing {

/// One implementation of a port, empty when made.
template <typename Port>
class Provider {
 public:
  virtual ~Provider() = default;
  virtual Port& port() = 0;
  /// As when the process ends cleanly and starts again; everything taken from the port must be gone.
  virtual void restart() = 0;
};

template <typename Port>
struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Provider<Port>>()> make;

  friend void PrintTo(const Implementation& implementation, std::ostream* out) { *out << implementation.name; }
};

template <typename Port>
class Contract : public ::testing::TestWithParam<Implementation<Port>> {
 protected:
  Contract() : provider_(this->GetParam().make()) {}
  Port& port() { return provider_->port(); }
  void restart() { provider_->restart(); }

 private:
  std::unique_ptr<Provider<Port>> provider_;
};

class StateStoreContract : public Contract<StateStore> {};
class FanoutContract : public Contract<Fanout> {};
class LeasesContract : public Contract<Leases> {};
class QueueContract : public Contract<Queue> {};
class KeyValueStoreContract : public Contract<KeyValueStore> {};

// What only real adapters do, and doubles need not: refuse what is out of bounds, and hold back a second campaign of one node.
class StateStoreBounds : public Contract<StateStore> {};
class QueueBounds : public Contract<Queue> {};
class KeyValueStoreBounds : public Contract<KeyValueStore> {};
class LeasesExclusion : public Contract<Leases> {};

}  // namespace fermata::testing
