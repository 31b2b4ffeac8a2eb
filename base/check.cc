#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace base {

void check_failed(const char* condition, const char* file, int line, std::string_view note) {
  std::fprintf(stderr, "CHECK failed: %s at %s:%d%s%.*s\n", condition, file, line,
               note.empty() ? "" : ": ", static_cast<int>(note.size()), note.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace base
