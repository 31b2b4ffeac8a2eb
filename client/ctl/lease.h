// `holdfast lease …`.
#pragma once

#include "client/ctl/arguments.h"

namespace client::ctl {

/// Runs the verb and returns the exit code.
int run_lease(const Arguments& arguments);

}  // namespace client::ctl
