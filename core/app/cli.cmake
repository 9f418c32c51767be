# The command line, as a library that tests link without the daemon.
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(CLI11 REQUIRED)
fermata_library(fermata_cli
  SOURCES cli.cpp cli_client.cpp cli_completion.cpp cli_control.cpp cli_files.cpp cli_output.cpp cli_service.cpp cli_show.cpp
          cli_world.cpp
  PUBLIC fermata_base fermata_config
  PRIVATE fermata_plugin fermata_rest fermata_telemetry Boost::json CLI11::CLI11)
target_include_directories(fermata_cli PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/include)
