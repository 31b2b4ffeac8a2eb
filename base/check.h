// CHECK: a bug in this program, never a failure of the world. On in every build type.
//
// A failed CHECK prints the condition, its place and a note to stderr and aborts the process; the
// node then comes back through recovery. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace base {

/// Prints "CHECK failed: CONDITION at FILE:LINE: NOTE" to stderr and aborts. Never returns.
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               std::string_view note);

}  // namespace base

/// CHECK(condition) or CHECK(condition, "what was expected"); the note may be any string expression
/// and is evaluated only on failure.
#define CHECK(condition, ...)                                                         \
  do {                                                                                \
    if (!(condition)) [[unlikely]]                                                    \
      ::base::check_failed(#condition, __FILE__, __LINE__, std::string(__VA_ARGS__)); \
  } while (false)
