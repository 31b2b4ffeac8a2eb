// holdfast-jepsen check: recorded histories are judged, and said in words.
#pragma once

#include <string>

#include "jepsen/arguments.h"
#include "jepsen/check/check.h"

namespace jepsen {

/// Exit code 0: every file is valid (or as --expect says); 1: not.
int run_check(const CheckArguments& arguments);

/// A line for the verdict, one a checker, and the contradiction in words.
std::string words_of(const Judgement& judgement);

/// A search may take so long from now on.
std::function<bool()> expires_after(std::uint32_t seconds);

}  // namespace jepsen
