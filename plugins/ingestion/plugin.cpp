#include "ingestion_service.hpp"

#include <fermata/sdk/plugin.hpp>

FERMATA_PLUGIN("ingestion", "1.0.0", fermata::sdk::service<fermata::ingestion::IngestionService>("ingestion"))
