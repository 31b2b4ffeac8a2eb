// `holdfast guard …`: lock tokens checked outside of the store.
#pragma once

#include "client/ctl/arguments.h"

namespace client::ctl {

int run_guard(const Arguments& arguments);

}  // namespace client::ctl
