// `holdfastd`, which knows what is in files and data directories: this program does not.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "client/ctl/arguments.h"

namespace client::ctl {

/// What HOLDFASTD names, else `holdfastd` beside this program. Errors: kInvalidArgument, saying
/// where it was looked for.
base::Result<std::string> find_server_program();

/// Becomes `holdfastd WORDS…`, so that its output and its exit code are this command's. Returns
/// only if that fails: kExitFailure.
int become_server_program(const Arguments& arguments);

}  // namespace client::ctl
