// holdfast-jepsen generate: histories of which it is known whether they are right, in any length,
// to measure checkers with.
#pragma once

#include "jepsen/arguments.h"

namespace jepsen {

/// Writes JSON lines to stdout. Exit code 0; 1 if they cannot be written.
int run_generate(const GenerateArguments& arguments);

}  // namespace jepsen
