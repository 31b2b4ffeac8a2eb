// `holdfast lock …` and `holdfast elect …`.
#pragma once

#include "client/ctl/arguments.h"

namespace client::ctl {

int run_lock(const Arguments& arguments);
int run_elect(const Arguments& arguments);

}  // namespace client::ctl
