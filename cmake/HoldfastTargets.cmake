# holdfast_library(NAME DEPENDS …)  one library a folder, all its .cc files.
# holdfast_test(NAME DEPENDS … [SOURCES …] [LIMIT_S SECONDS])
#                                   one test program a folder of tests/, all its *_test.cc files. It is
#                                   killed after LIMIT_S seconds, 120 if nothing is said; scripts/test runs
#                                   those with low limits first.
# Both glob, so that adding a file is adding a file.
find_package(Threads REQUIRED)

function(holdfast_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  foreach(pattern ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(holdfast_${name} STATIC ${sources})
  target_include_directories(holdfast_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(holdfast_${name} PUBLIC ${ARG_DEPENDS})
  set_target_properties(holdfast_${name} PROPERTIES LINKER_LANGUAGE CXX)
endfunction()

function(holdfast_test name)
  cmake_parse_arguments(ARG "" "LIMIT_S" "DEPENDS;SOURCES" ${ARGN})
  if(NOT ARG_LIMIT_S)
    set(ARG_LIMIT_S 120)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
  list(APPEND sources ${ARG_SOURCES})
  find_package(GTest REQUIRED)
  add_executable(${name}_test ${sources})
  target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name}_test PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gtest_main GTest::gmock)
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_LIMIT_S})
  set_property(GLOBAL APPEND PROPERTY HOLDFAST_TESTS "${ARG_LIMIT_S} ${name} $<TARGET_FILE:${name}_test>")
endfunction()
