// Commands and replies to bytes and back (schema/stored.capnp). The bytes of an entry's payload.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "kv/types.h"

namespace storage {

/// The same command gives the same bytes. Requires: the command's parts are below 512 MiB.
std::string encode(const kv::Command& command);
/// Any bytes, at any alignment, are safe to give: memory stays within a small multiple of their
/// size. Errors: kCorrupt; kNewerFormat when the command says that a newer version wrote it.
base::Result<kv::Command> decode_command(std::string_view bytes);

}  // namespace storage
