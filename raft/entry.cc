#include "raft/entry.h"

#include "base/hash.h"

namespace raft {

ChainHash chain_hash(ChainHash previous, const Entry& entry) {
  base::Hasher hasher;
  hasher.add(previous.value)
      .add(entry.term.value)
      .add(entry.index.value)
      .add(static_cast<std::uint64_t>(entry.kind))
      .add(entry.time.value)
      .add(std::string_view(entry.payload));
  return ChainHash{hasher.value()};
}

}  // namespace raft
