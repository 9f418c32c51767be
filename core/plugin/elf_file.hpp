#pragma once

#include "base/status.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::plugin {

/// What a shared object shows without being loaded.
struct ElfFacts {
  std::optional<std::string> manifest;  ///< content of the manifest section, if there is one
  std::vector<std::string> exported;    ///< symbols that others can bind to
  std::vector<std::string> gnu_unique;  ///< those of them that the linker makes unique in the whole process
};

/// Reads a shared object of this machine's kind; no code of it runs. kNotFound: no such file; kInvalidArgument: not ELF,
/// not a shared object, or of another architecture. Messages name the file, both sides and the fix.
Result<ElfFacts> read_elf(const std::string& file);

}  // namespace fermata::plugin
