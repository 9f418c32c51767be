#include "crr_service.hpp"

#include <fermata/sdk/plugin.hpp>

FERMATA_PLUGIN("crr", "1.1.0", fermata::sdk::service<fermata::crr::CrrService>("crr"))
