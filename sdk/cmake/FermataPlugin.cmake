# fermata_add_plugin(<name> SOURCES <file>... [MANIFEST <manifest.json>] [LINK <library>...])
#
# Builds <name>.so, a Fermata plugin in C or C++, into ${CMAKE_BINARY_DIR}/lib/fermata/plugins. It exports
# fermata_plugin_entry and nothing else, every symbol is resolved at link time, and the manifest (default: manifest.json
# beside the CMakeLists.txt; format: docs/reference/manifest.md) stands in its ELF section .fermata_manifest.
# `cmake --install` puts it into <prefix>/lib/fermata/plugins, unless FERMATA_INSTALL_PLUGINS is OFF.
include_guard(GLOBAL)
set_property(GLOBAL PROPERTY FERMATA_PLUGIN_DIR ${CMAKE_CURRENT_LIST_DIR})

function(fermata_add_plugin name)
  cmake_parse_arguments(arg "" "MANIFEST" "SOURCES;LINK" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "fermata_add_plugin(${name}): SOURCES is needed; not understood: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_MANIFEST)
    set(arg_MANIFEST manifest.json)
  endif()
  cmake_path(ABSOLUTE_PATH arg_MANIFEST BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  _fermata_manifest_source(${name} ${arg_MANIFEST} manifest_source)
  get_property(here GLOBAL PROPERTY FERMATA_PLUGIN_DIR)

  add_library(${name} MODULE ${arg_SOURCES} ${manifest_source})
  target_link_libraries(${name} PRIVATE fermata::sdk ${arg_LINK})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/fermata/plugins
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${here}/plugin.map)
  # A unique symbol is one for the whole process: two versions of a plugin would share it, and neither could be replaced.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,--version-script=${here}/plugin.map)
  _fermata_uses_sanitizer(sanitized)
  if(NOT sanitized)  # a sanitizer's runtime may stand in the executable only
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  if(NOT DEFINED FERMATA_INSTALL_PLUGINS OR FERMATA_INSTALL_PLUGINS)
    install(TARGETS ${name} LIBRARY DESTINATION lib/fermata/plugins)
  endif()
endfunction()

# Completes the author's manifest with the ABI version of the headers, and writes it as a source file that puts its bytes
# into the section. The bytes are plain initialised data: the host reads them from the file without running anything.
function(_fermata_manifest_source name manifest_file result)
  if(NOT EXISTS ${manifest_file})
    message(FATAL_ERROR "fermata_add_plugin(${name}): no manifest ${manifest_file}; write one, or name it with MANIFEST")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${manifest_file})
  file(READ ${manifest_file} manifest)
  foreach(member name version services)
    string(JSON value ERROR_VARIABLE problem GET "${manifest}" ${member})
    if(problem)
      message(FATAL_ERROR "${manifest_file}: ${member}: ${problem}; docs/reference/manifest.md has the format")
    endif()
  endforeach()
  string(JSON manifest_name GET "${manifest}" name)
  if(NOT manifest_name STREQUAL name)
    message(FATAL_ERROR "${manifest_file}: name: '${manifest_name}' is not the plugin's, '${name}': make them equal")
  endif()
  _fermata_abi_version(major minor)
  string(JSON manifest SET "${manifest}" abi "{\"major\":${major},\"minor\":${minor}}")

  set(stem ${CMAKE_CURRENT_BINARY_DIR}/${name}.manifest)
  file(CONFIGURE OUTPUT ${stem}.json CONTENT "@manifest@" @ONLY)
  file(READ ${stem}.json bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(suffix cpp)
  if(NOT "CXX" IN_LIST languages)
    set(suffix c)
  endif()
  file(CONFIGURE OUTPUT ${stem}.${suffix} CONTENT [[
/* Generated from the plugin's manifest. `retain` keeps the section through --gc-sections. */
#if defined(__has_attribute)
#if __has_attribute(retain)
#define FERMATA_KEPT used, retain
#endif
#endif
#ifndef FERMATA_KEPT
#define FERMATA_KEPT used
#endif
__attribute__((section(".fermata_manifest"), FERMATA_KEPT)) static const unsigned char fermata_manifest[] = {@bytes@};
]] @ONLY)
  set(${result} ${stem}.${suffix} PARENT_SCOPE)
endfunction()

function(_fermata_abi_version major minor)
  get_target_property(directories fermata::sdk INTERFACE_INCLUDE_DIRECTORIES)
  foreach(directory ${directories})
    string(REGEX REPLACE "^\\$<BUILD_INTERFACE:(.*)>$" "\\1" directory "${directory}")
    if(EXISTS ${directory}/fermata/abi/base.h)
      file(STRINGS ${directory}/fermata/abi/base.h lines REGEX "#define FERMATA_ABI_M(AJOR|INOR) ")
      string(REGEX MATCH "ABI_MAJOR ([0-9]+)" _ "${lines}")
      set(${major} ${CMAKE_MATCH_1} PARENT_SCOPE)
      string(REGEX MATCH "ABI_MINOR ([0-9]+)" _ "${lines}")
      set(${minor} ${CMAKE_MATCH_1} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "fermata::sdk has no fermata/abi/base.h in '${directories}'; reinstall the SDK")
endfunction()

function(_fermata_uses_sanitizer result)
  get_directory_property(options COMPILE_OPTIONS)
  string(FIND "${options} ${CMAKE_CXX_FLAGS} ${CMAKE_C_FLAGS}" "-fsanitize" position)
  if(position EQUAL -1)
    set(${result} FALSE PARENT_SCOPE)
  else()
    set(${result} TRUE PARENT_SCOPE)
  endif()
endfunction()
