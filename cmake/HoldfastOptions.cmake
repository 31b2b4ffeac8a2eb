# Compiler, linker and sanitizer settings that every target shares.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(HOLDFAST_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")

# Not -Wnon-virtual-dtor: KJ's interfaces have none by design (-Wdelete-non-virtual-dtor stays on).
# Not -Wmaybe-uninitialized: GCC 12 reports it inside kj::Maybe and std::variant where nothing is.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Woverloaded-virtual -Wno-maybe-uninitialized
                    -Werror -fno-omit-frame-pointer)
# CHECK is on in every build type, so NDEBUG changes only what libraries do.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
# The sanitizer presets bring their own: without any optimisation they would be ten times slower.
if(NOT HOLDFAST_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
endif()

if(HOLDFAST_SANITIZE)
  add_compile_options(-fsanitize=${HOLDFAST_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HOLDFAST_SANITIZE})
  if(HOLDFAST_SANITIZE MATCHES "thread")
    # GCC 12 warns about fences in Asio under TSan; the fences themselves are fine.
    add_compile_options(-Wno-tsan)
  endif()
endif()

# A file's own names stand beside those of its neighbours then; GCC takes them for a header's.
if(CMAKE_UNITY_BUILD)
  add_compile_options(-Wno-subobject-linkage)
endif()

find_program(HOLDFAST_CCACHE ccache)
if(HOLDFAST_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HOLDFAST_CCACHE})
endif()
find_program(HOLDFAST_MOLD mold)
if(HOLDFAST_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
set_property(GLOBAL PROPERTY USE_FOLDERS ON)
