#include "hello.hpp"

#include <fermata/sdk/plugin.hpp>

FERMATA_PLUGIN("hello", "1.0.0", fermata::sdk::service<hello::Hello>("hello"))
