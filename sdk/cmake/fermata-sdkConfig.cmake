# find_package(fermata-sdk CONFIG REQUIRED) gives the target fermata::sdk (headers only) and fermata_add_plugin().
# The same file serves an installed SDK and, inside Fermata's own tree, the sources.
if(NOT TARGET fermata::sdk)
  include(${CMAKE_CURRENT_LIST_DIR}/fermata-sdkTargets.cmake)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/FermataPlugin.cmake)
