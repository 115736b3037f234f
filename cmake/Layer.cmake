# One layer of the house: a static library with its own public headers and the proof that it knows only whom it may know.
#
#   fb_layer(NAME USES <layers> LIBS <imported targets>)
#
# Sources are NAME/*.c, public headers NAME/include/NAME/*.h. Three of the five walls are built here:
#   - a sibling's headers are not on the include path unless USES names it;
#   - every public header compiles alone (CMAKE_VERIFY_INTERFACE_HEADER_SETS);
#   - an empty main + the whole archive + only what USES and LIBS name must link: a smuggled `extern` fails the build.
# The other two (symbol prefixes, text scan) are tests/checks/symbols.sh and layers.sh.
function(fb_layer name)
  cmake_parse_arguments(L "" "" "USES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/include/${name}/*.h)
  add_library(${name} STATIC ${sources})
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/include FILES ${headers})
  target_link_libraries(${name} PUBLIC ${L_USES} PRIVATE ${L_LIBS})

  add_executable(closed-${name} ${PROJECT_SOURCE_DIR}/cmake/closed_world.c)
  target_link_libraries(closed-${name} PRIVATE -Wl,--whole-archive $<TARGET_FILE:${name}> -Wl,--no-whole-archive ${L_USES} ${L_LIBS} m)
  add_dependencies(closed-${name} ${name})
endfunction()
