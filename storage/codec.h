// Commands and replies to bytes and back (schema/stored.capnp). The bytes of an entry's payload.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "kv/types.h"

namespace storage {

std::string encode(const kv::Command& command);
/// Errors: kCorrupt. Any bytes are safe to give.
base::Result<kv::Command> decode_command(std::string_view bytes);

}  // namespace storage
