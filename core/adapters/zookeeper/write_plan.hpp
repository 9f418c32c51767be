#pragma once

#include "adapters/zookeeper/client.hpp"
#include "ports/state_store.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace fermata::zookeeper {

/// What is known of an entry.
struct Fact {
  bool exists = false;
  bool ours = false;  ///< an ephemeral entry of this session
  int version = -1;   ///< -1: not known
};
using Facts = std::map<std::string, Fact, std::less<>>;  // by the ensemble's path

/// The steps of one multi that carry out a batch. ZooKeeper has no "create or replace" and makes no parents, so these
/// depend on what is there: facts that have changed meanwhile make the multi fail, and then a new plan is due.
struct WritePlan {
  std::vector<Operation> operations;
  std::vector<std::optional<std::size_t>> write_of;  ///< the write that each is for; none: it makes a parent
};

/// The entries whose facts a plan needs. @param with_parents  of what is to be created; else parents are taken to exist.
std::set<std::string> needed_facts(std::span<const StateWrite> writes, const std::string& chroot, bool with_parents);

WritePlan plan_writes(std::span<const StateWrite> writes, const std::string& chroot, Facts facts);

/// About what the plan takes in a message, never less.
std::size_t bytes_of(const WritePlan& plan);

}  // namespace fermata::zookeeper
