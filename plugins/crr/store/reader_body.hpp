#pragma once

#include "store/checksum.hpp"
#include "store/object_store.hpp"

#include "http/client.hpp"

#include <cstdint>
#include <span>

namespace fermata::crr {

/// An object of the source as the body of a request. Right before the last bytes go out the source is asked whether it is
/// still the same. Threads: one at a time. Cannot be rewound.
class ReaderBody final : public http::BodySource {
 public:
  /// @param reader  borrowed; outlives this. @param checksum  borrowed; gets all that is read; null: none.
  explicit ReaderBody(ObjectReader& reader, Checksum* checksum = nullptr) : reader_(reader), checksum_(checksum) {}

  Result<std::size_t> read(std::span<char> buffer) override;

 private:
  ObjectReader& reader_;
  Checksum* const checksum_;
  std::uint64_t sent_ = 0;
};

}  // namespace fermata::crr
