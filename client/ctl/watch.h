// `holdfast watch …`.
#pragma once

#include "client/ctl/arguments.h"

namespace client::ctl {

/// Prints changes until ctrl-C, or until the watch cannot go on; returns the exit code.
int run_watch(const Arguments& arguments);

}  // namespace client::ctl
