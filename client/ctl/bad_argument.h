// How the command line refuses what it was told.
#pragma once

#include <string>

#include "base/status.h"

namespace client::ctl {

inline base::Status bad(const std::string& why) {
  return {base::Code::kInvalidArgument, why};
}

}  // namespace client::ctl
