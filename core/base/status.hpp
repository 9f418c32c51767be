#pragma once
// The core speaks the SDK's error vocabulary; see <fermata/sdk/status.hpp>.

#include <fermata/sdk/status.hpp>

namespace fermata {

using sdk::Code;
using sdk::Result;
using sdk::Status;

}  // namespace fermata
