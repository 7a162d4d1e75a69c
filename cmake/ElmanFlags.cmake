# SPDX-License-Identifier: MIT
# How everything is compiled.
#
# The bits of a result must not depend on the compiler's taste: no contraction,
# no reassociation, and no instruction of this machine that another one may
# lack.  A cpu level's flags are on that level's files alone.
# -fno-fast-math takes back what a project that this one is a part of may have
# asked for; it stands first, since it resets contraction too.

add_library(elman_flags INTERFACE)
target_compile_definitions(elman_flags INTERFACE
    _POSIX_C_SOURCE=200809L _FILE_OFFSET_BITS=64)
target_compile_options(elman_flags INTERFACE
    -fno-fast-math -ffp-contract=off
    -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
    -Wstrict-prototypes)
if(ELMAN_WERROR)
  target_compile_options(elman_flags INTERFACE -Werror)
endif()

if(ELMAN_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "fuzzing needs clang (cmake --preset fuzz)")
  endif()
  set(sanitize_flags -fsanitize=fuzzer-no-link,address,undefined)
elseif(ELMAN_SANITIZE)
  set(sanitize_flags -fsanitize=${ELMAN_SANITIZE})
endif()
if(sanitize_flags)
  add_compile_options(${sanitize_flags} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(${sanitize_flags})
endif()

# Sets the options of the kernels among the sources, and drops the files of
# other processors from the list.  Nobody reads errno or a trap flag of a
# kernel, so these two let loops be vectorised and change no result.
function(elman_level_flags list)
  set(avx2_flags -mavx2 -mfma)
  set(avx512_flags -mavx512f -mavx512bw -mavx512dq -mavx512vl ${avx2_flags})
  set(kept "")
  foreach(source ${${list}})
    file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${source})
    if(path MATCHES "^src/kernels/")
      set(flags -fno-math-errno -fno-trapping-math
          $<$<CONFIG:Release,RelWithDebInfo>:-O3>)
      if(path MATCHES "^src/kernels/x86/")
        if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
          continue()
        elseif(path MATCHES "_vnni_avx2\\.c$")
          list(APPEND flags ${avx2_flags} -mavxvnni)
        elseif(path MATCHES "_vnni_avx512\\.c$")
          list(APPEND flags ${avx512_flags} -mavx512vnni)
        elseif(path MATCHES "_avx2\\.c$")
          list(APPEND flags ${avx2_flags})
        elseif(path MATCHES "_dot_avx512\\.c$")
          list(APPEND flags ${avx512_flags} -mavx512bf16)
        elseif(path MATCHES "_avx512\\.c$")
          list(APPEND flags ${avx512_flags})
        elseif(path MATCHES "_amx\\.c$")
          list(APPEND flags -mamx-tile -mamx-bf16)
        endif()
      elseif(path MATCHES "^src/kernels/arm/")
        if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
          continue()
        elseif(CMAKE_C_COMPILER_ID STREQUAL "GNU")
          # Before registers are given out gcc moves all loads of a tile's step
          # to its front, and then has no room for the accumulators.
          list(APPEND flags -fno-schedule-insns)
        endif()
      endif()
      if(path MATCHES "^src/kernels/(x86|arm)/")
        # No input of a fuzzer reaches these, and clang takes minutes to
        # instrument their tiles; gcc's sanitizers watch them.
        if(ELMAN_FUZZ)
          list(APPEND flags -fno-sanitize=address,undefined)
        endif()
      endif()
      set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS ${flags})
    endif()
    list(APPEND kept ${source})
  endforeach()
  set(${list} ${kept} PARENT_SCOPE)
endfunction()
