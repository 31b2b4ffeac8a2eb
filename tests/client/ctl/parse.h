// A command line as main() gets it.
#pragma once

#include <vector>

#include "client/ctl/arguments.h"

namespace client::ctl {

inline Parsed parse(std::vector<const char*> words) {
  words.insert(words.begin(), "holdfast");
  return parse_arguments(static_cast<int>(words.size()), words.data());
}

}  // namespace client::ctl
