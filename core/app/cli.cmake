# The command line. fermata_cli_core needs neither the REST client nor plugins: tests put their own in their place.
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(CLI11 REQUIRED)
fermata_library(fermata_cli_core
  SOURCES cli.cpp cli_client.cpp cli_completion.cpp cli_control.cpp cli_files.cpp cli_output.cpp cli_service.cpp cli_show.cpp
  PUBLIC fermata_base fermata_config
  PRIVATE fermata_telemetry Boost::json CLI11::CLI11)
target_include_directories(fermata_cli_core PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/include)

fermata_library(fermata_cli
  SOURCES cli_world.cpp
  PUBLIC fermata_cli_core
  PRIVATE fermata_plugin fermata_rest)
