#include "storage/codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstdint>
#include <cstring>

#include "schema/codec.h"
#include "schema/stored.capnp.h"

namespace storage {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::uint16_t kVersion = 1;

struct WriteCommand {
  schema::Command::Builder to;

  void operator()(const kv::OpenSession&) { to.setOpenSession(); }
  void operator()(const kv::CloseSession& from) { to.setCloseSession(from.session.value); }
  void operator()(const kv::Tick&) { to.setTick(); }
  void operator()(const kv::Scrub&) { to.setScrub(); }
  void operator()(const kv::Expire& from) {
    auto expire = to.initExpire();
    expire.setTerm(from.term.value);
    auto leases = expire.initLeases(static_cast<unsigned>(from.leases.size()));
    for (unsigned i = 0; i < leases.size(); ++i) leases.set(i, from.leases[i].value);
  }
  void operator()(const kv::Write& from) {
    auto write = to.initWrite();
    write.setSession(from.session.value);
    write.setSequence(from.sequence);
    write.setAcknowledgedBelow(from.acknowledged_below);
    schema::write(from.transaction, write.initTransaction());
    write.setSeal(from.seal);
  }
};

Status corrupt(const std::string& detail) {
  return Status(Code::kCorrupt, "a log entry's command: " + detail);
}

Result<kv::Command> read_write(schema::Write::Reader from) {
  Result<kv::Transaction> transaction = schema::read(from.getTransaction());
  if (!transaction.is_ok()) return corrupt(transaction.status().detail());
  return kv::Command(kv::Write{kv::SessionId(from.getSession()), from.getSequence(),
                               from.getAcknowledgedBelow(), std::move(transaction).value(),
                               from.getSeal()});
}

Result<kv::Command> read_command(schema::Command::Reader from) {
  if (from.getVersion() > kVersion)
    return Status(Code::kNewerFormat,
                  "a log entry's command has version " + std::to_string(from.getVersion()));
  if (from.getVersion() == 0) return corrupt("version 0");
  switch (from.which()) {
    case schema::Command::OPEN_SESSION:
      return kv::Command(kv::OpenSession{});
    case schema::Command::CLOSE_SESSION:
      return kv::Command(kv::CloseSession{kv::SessionId(from.getCloseSession())});
    case schema::Command::WRITE:
      return read_write(from.getWrite());
    case schema::Command::TICK:
      return kv::Command(kv::Tick{});
    case schema::Command::SCRUB:
      return kv::Command(kv::Scrub{});
    case schema::Command::EXPIRE: {
      kv::Expire expire{kv::Term(from.getExpire().getTerm()), {}};
      for (const std::uint64_t lease : from.getExpire().getLeases()) {
        expire.leases.emplace_back(lease);
      }
      return kv::Command(std::move(expire));
    }
  }
  return corrupt("unknown kind " + std::to_string(from.which()));
}

Result<kv::Command> read_words(kj::ArrayPtr<const capnp::word> words) {
  capnp::ReaderOptions options;
  // Each word is read once; more means pointers that share their target, or long lists of nothing.
  options.traversalLimitInWords = words.size() + 64;
  options.nestingLimit = 16;
  capnp::FlatArrayMessageReader reader(words, options);
  if (reader.getEnd() != words.end()) return corrupt("bytes after its end");
  return read_command(reader.getRoot<schema::Command>());
}

}  // namespace

std::string encode(const kv::Command& command) {
  capnp::MallocMessageBuilder message;
  std::visit(WriteCommand{message.initRoot<schema::Command>()}, command);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

Result<kv::Command> decode_command(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0)
    return corrupt("a size of " + std::to_string(bytes.size()) + " bytes");
  const std::size_t size_words = bytes.size() / sizeof(capnp::word);
  try {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(capnp::word) == 0) {
      const auto* words = reinterpret_cast<const capnp::word*>(bytes.data());
      return read_words(kj::arrayPtr(words, size_words));
    }
    kj::Array<capnp::word> aligned = kj::heapArray<capnp::word>(size_words);
    std::memcpy(aligned.begin(), bytes.data(), bytes.size());
    return read_words(aligned);
  } catch (const kj::Exception& exception) {
    return corrupt(exception.getDescription().cStr());
  }
}

}  // namespace storage
