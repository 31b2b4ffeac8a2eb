// The log's codec: commands come back as they were, and no bytes whatever can hurt it.
#include "storage/codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "schema/stored.capnp.h"

namespace storage {
namespace {

using base::Code;
using base::Random;

std::string flat(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  return std::string(reinterpret_cast<const char*>(words.asBytes().begin()),
                     words.asBytes().size());
}

kv::Command sample_write(std::size_t value_bytes = 20) {
  kv::Write write{kv::SessionId(9), 7, 5, {}};
  write.transaction.compares.push_back(
      {"k", kv::CompareTarget::kValue, kv::CompareResult::kLess, 3, "v"});
  write.transaction.then.push_back(kv::PutOperation{"key", std::string(value_bytes, 'x'), true});
  write.transaction.then.push_back(kv::RangeOperation{{"a", std::string(1, '\0')}, 4, true, true});
  write.transaction.otherwise.push_back(kv::DeleteOperation{{"a", "b"}, true});
  write.transaction.otherwise.push_back(kv::CompactOperation{kv::Revision(3)});
  write.transaction.otherwise.push_back(kv::RetainOperation{{4, 5000}});
  write.transaction.otherwise.push_back(kv::GrantOperation{kv::LeaseId(3), 5000, true});
  write.transaction.otherwise.push_back(kv::RevokeOperation{kv::LeaseId(4)});
  write.transaction.fences.push_back({"lock", kv::Revision(8)});
  return write;
}

TEST(CommandCodec, EachKindComesBackAsItWas) {
  for (const kv::Command& command :
       {kv::Command(kv::OpenSession{}), kv::Command(kv::CloseSession{kv::SessionId(77)}),
        sample_write(), sample_write(3 * 1024 * 1024), kv::Command(kv::Write{}),
        kv::Command(kv::Tick{}), kv::Command(kv::Scrub{}),
        kv::Command(kv::Expire{kv::Term(4), {kv::LeaseId(1), kv::LeaseId(1U << 31U)}})}) {
    const std::string bytes = encode(command);
    EXPECT_EQ(encode(command), bytes);
    const auto decoded = decode_command(bytes);
    ASSERT_TRUE(decoded.is_ok()) << decoded.status().to_string();
    EXPECT_EQ(decoded.value(), command);
  }
}

TEST(CommandCodec, MessagesOfManySegmentsComeBackAsTheyWere) {
  Random random(6);
  for (int i = 0; i < 100; ++i) {
    kv::Write write{kv::SessionId(1), 1, 1, {}};
    for (auto n = random.below(129); n > 0; --n) {
      write.transaction.then.push_back(kv::PutOperation{
          std::string(random.below(100), 'k'), std::string(random.below(20'000), 'v'), false});
      write.transaction.compares.push_back({std::string(random.below(100), 'k'), {}, {}, 0, {}});
    }
    const auto decoded = decode_command(encode(write));
    ASSERT_TRUE(decoded.is_ok()) << decoded.status().to_string();
    ASSERT_EQ(decoded.value(), kv::Command(write));
  }
}

TEST(CommandCodec, TakesBytesAtAnyAlignment) {
  const std::string bytes = encode(sample_write());
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const std::string moved = std::string(shift, 'p') + bytes;
    const auto decoded = decode_command(std::string_view(moved).substr(shift));
    ASSERT_TRUE(decoded.is_ok());
    EXPECT_EQ(decoded.value(), sample_write());
  }
}

TEST(CommandCodec, EveryShorterOrLongerPieceIsCorrupt) {
  const std::string bytes = encode(sample_write());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(decode_command(std::string_view(bytes).substr(0, size)).status().code(),
              Code::kCorrupt)
        << size;
  for (std::size_t extra = 1; extra <= 16; ++extra)
    EXPECT_EQ(decode_command(bytes + std::string(extra, '\0')).status().code(), Code::kCorrupt);
}

TEST(CommandCodec, RandomBytesAreRefused) {
  Random random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(8 * random.below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    if (random.chance(2) && bytes.size() >= 8) {  // a plausible segment table
      const auto words = static_cast<std::uint32_t>(bytes.size() / 8 - 1);
      std::memset(bytes.data(), 0, 4);
      std::memcpy(bytes.data() + 4, &words, 4);
    }
    const auto decoded = decode_command(bytes);
    if (!decoded.is_ok()) {
      ASSERT_TRUE(decoded.status().code() == Code::kCorrupt ||
                  decoded.status().code() == Code::kNewerFormat);
    }
  }
}

TEST(CommandCodec, DamagedBytesNeverThrow) {
  Random random(4);
  const std::string whole = encode(sample_write());
  int refused = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string bytes = whole;
    for (auto n = random.between(1, 4); n > 0; --n)
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    refused += decode_command(bytes).is_ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

TEST(CommandCodec, AListOfNothingCannotBlowUp) {
  // A list of 2^29-1 structs of no size takes one word on the wire.
  std::string bytes = encode(kv::Command(kv::Write{}));
  capnp::MallocMessageBuilder message;
  auto transaction = message.initRoot<schema::Command>().initWrite().initTransaction();
  auto any = capnp::toAny(transaction).getPointerSection()[1];
  any.initAsListOfAnyStruct(0, 0, (1 << 29) - 1);
  bytes = flat(message);
  ASSERT_LT(bytes.size(), 200u);
  EXPECT_EQ(decode_command(bytes).status().code(), Code::kCorrupt);
}

TEST(CommandCodec, ManyPointersToOneTargetCannotBlowUp) {
  // Each put's value points at the same 64 KiB: 4,000 of them would be 256 MiB.
  capnp::MallocMessageBuilder message(1 << 20);
  auto then = message.initRoot<schema::Command>().initWrite().initTransaction().initThen(4000);
  for (auto operation : then) operation.initPut().setKey(kj::StringPtr("k").asBytes());
  auto first = then[0].getPut().initValue(64 * 1024);
  std::memset(first.begin(), 'x', first.size());
  std::string bytes = flat(message);
  auto* words = reinterpret_cast<std::int64_t*>(bytes.data());
  // Find the one list pointer to 64 KiB of bytes, then aim every null value pointer at its target.
  const std::size_t count = bytes.size() / 8;
  const auto is_value = [&](std::size_t i) {
    return (words[i] & 3) == 1 && static_cast<std::uint64_t>(words[i]) >> 35 == 64 * 1024;
  };
  std::size_t at = 1;
  while (at < count && !is_value(at)) ++at;
  ASSERT_LT(at, count);
  const std::int64_t target =
      static_cast<std::int64_t>(at) + 1 + ((words[at] & 0xffffffff) << 32 >> 34);
  int aimed = 0;
  for (std::size_t i = at + 1; i < count - 8192; ++i) {
    // A put is one data word, a key pointer (a list of one byte) and a null value pointer.
    const bool key = (words[i - 1] & 3) == 1 && static_cast<std::uint64_t>(words[i - 1]) >> 35 == 1;
    if (!key || words[i] != 0) continue;
    const std::int64_t offset = target - static_cast<std::int64_t>(i) - 1;
    words[i] = static_cast<std::int64_t>(
        (static_cast<std::uint64_t>(64 * 1024) << 35 | std::uint64_t{2} << 32) |
        (static_cast<std::uint64_t>(offset << 2) & 0xfffffffc) | 1);
    ++aimed;
  }
  ASSERT_GT(aimed, 1000);
  const auto decoded = decode_command(bytes);
  EXPECT_EQ(decoded.status().code(), Code::kCorrupt);
}

TEST(CommandCodec, UnknownKindsAndEnumerantsAreCorrupt) {
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<schema::Command>();
  auto compare = command.initWrite().initTransaction().initCompares(1)[0];
  compare.setTarget(9);
  EXPECT_EQ(decode_command(flat(message)).status().code(), Code::kCorrupt);
  compare.setTarget(0);
  EXPECT_TRUE(decode_command(flat(message)).is_ok());
  auto raw = capnp::toAny(command.asReader()).getDataSection();
  const_cast<kj::byte*>(raw.begin())[2] = 99;  // the union's tag stands behind the version
  EXPECT_EQ(decode_command(flat(message)).status().code(), Code::kCorrupt);
}

TEST(CommandCodec, ANewerVersionIsToldApart) {
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<schema::Command>();
  command.setOpenSession();
  command.setVersion(2);
  EXPECT_EQ(decode_command(flat(message)).status().code(), Code::kNewerFormat);
  command.setVersion(0);
  EXPECT_EQ(decode_command(flat(message)).status().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace storage
