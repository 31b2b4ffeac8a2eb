// kv's types to data.capnp and back; what a newer client could send is refused, never guessed.
#include "schema/codec.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace schema {
namespace {

using base::Code;
using base::Random;

std::string bytes(Random& random) {
  std::string text(random.below(20), '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}
kv::KeyValue item(Random& random) {
  return {bytes(random),
          bytes(random),
          kv::Revision(random.next()),
          kv::Revision(random.next()),
          random.next(),
          kv::LeaseId(random.next()),
          kv::HybridTime(random.next())};
}
std::vector<kv::KeyValue> items(Random& random) {
  std::vector<kv::KeyValue> list(random.below(4));
  for (auto& one : list) one = item(random);
  return list;
}
kv::Operation operation(Random& random) {
  switch (random.below(9)) {
    case 6:
      return kv::GrantOperation{kv::LeaseId(random.next()), random.next(), random.chance(2)};
    case 7:
      return kv::RevokeOperation{kv::LeaseId(random.next())};
    case 8:
      return kv::LeasesOperation{kv::LeaseId(random.next()), kv::LeaseId(random.next()),
                                 random.next(), random.chance(2)};
    case 0:
      return kv::RangeOperation{{bytes(random), bytes(random)},
                                random.next(),
                                random.chance(2),
                                random.chance(2),
                                kv::Revision(random.next()),
                                kv::HybridTime(random.next())};
    case 2:
      return kv::HistoryOperation{bytes(random), kv::Revision(random.next()), random.next()};
    case 3:
      return kv::CompactOperation{kv::Revision(random.next())};
    case 4:
      return kv::RetainOperation{{random.next(), random.next()}};
    case 1:
      return kv::PutOperation{bytes(random), bytes(random), random.chance(2),
                              kv::LeaseId(random.next())};
    default:
      return kv::DeleteOperation{{bytes(random), bytes(random)}, random.chance(2)};
  }
}
kv::Transaction transaction(Random& random) {
  kv::Transaction made;
  for (auto n = random.below(4); n > 0; --n)
    made.compares.push_back({bytes(random), static_cast<kv::CompareTarget>(random.below(7)),
                             static_cast<kv::CompareResult>(random.below(4)), random.next(),
                             bytes(random)});
  for (auto n = random.below(4); n > 0; --n) made.then.push_back(operation(random));
  for (auto n = random.below(4); n > 0; --n) made.otherwise.push_back(operation(random));
  for (auto n = random.below(3); n > 0; --n)
    made.fences.push_back({bytes(random), kv::Revision(random.next())});
  return made;
}
kv::HistoryResult history(Random& random) {
  kv::HistoryResult made{{}, random.chance(2)};
  for (auto n = random.below(4); n > 0; --n)
    made.events.push_back(
        {static_cast<std::uint32_t>(random.next()), random.chance(2), item(random)});
  return made;
}
kv::LeasesResult leases(Random& random) {
  kv::LeasesResult made{{}, random.chance(2)};
  for (auto n = random.below(4); n > 0; --n) {
    made.leases.push_back({kv::LeaseId(random.next()),
                           random.next(),
                           kv::SessionId(random.next()),
                           random.next(),
                           {}});
    for (auto k = random.below(3); k > 0; --k) made.leases.back().keys.push_back(bytes(random));
  }
  return made;
}
kv::OperationResult result(Random& random) {
  switch (random.below(9)) {
    case 6:
      return kv::GrantResult{kv::LeaseId(random.next())};
    case 7:
      return kv::RevokeResult{random.next()};
    case 8:
      return leases(random);
    case 2:
      return history(random);
    case 3:
      return kv::CompactResult{};
    case 4:
      return kv::RetainResult{{random.next(), random.next()}};
    case 0:
      return kv::RangeResult{items(random), random.next(), random.chance(2)};
    case 1:
      return random.chance(2) ? kv::PutResult{} : kv::PutResult{item(random)};
    default:
      return kv::DeleteResult{random.next(), items(random)};
  }
}

TEST(Codec, TransactionsComeBackAsTheyWere) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const kv::Transaction before = transaction(random);
    capnp::MallocMessageBuilder message;
    write(before, message.initRoot<Transaction>());
    const auto after = read(message.getRoot<Transaction>().asReader());
    ASSERT_TRUE(after.is_ok()) << after.status().to_string();
    ASSERT_EQ(after.value(), before);
  }
}

TEST(Codec, ResultsComeBackAsTheyWere) {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    kv::TransactionResult before{random.chance(2), kv::Revision(random.next()), {}};
    for (auto n = random.below(4); n > 0; --n) before.results.push_back(result(random));
    capnp::MallocMessageBuilder message;
    write(before, message.initRoot<TransactionResult>());
    const auto after = read(message.getRoot<TransactionResult>().asReader());
    ASSERT_TRUE(after.is_ok()) << after.status().to_string();
    ASSERT_EQ(after.value(), before);
  }
}

TEST(Codec, RefusesUnknownEnumerants) {
  capnp::MallocMessageBuilder message;
  auto compare = message.initRoot<Transaction>().initCompares(1)[0];
  compare.setTarget(7);
  EXPECT_EQ(read(message.getRoot<Transaction>().asReader()).status().code(),
            Code::kInvalidArgument);
  compare.setTarget(3);
  compare.setResult(4);
  EXPECT_EQ(read(message.getRoot<Transaction>().asReader()).status().code(),
            Code::kInvalidArgument);
  compare.setResult(3);
  EXPECT_TRUE(read(message.getRoot<Transaction>().asReader()).is_ok());
}

/// Sets the union tag, the first 16 bits of an Operation's data, to one that no member has.
template <class Struct>
void spoil_tag(Struct builder) {
  auto raw = capnp::toAny(builder.asReader()).getDataSection();
  ASSERT_GE(raw.size(), 2u);
  const_cast<kj::byte*>(raw.begin())[0] = 77;
}

TEST(Codec, RefusesUnknownOperations) {
  capnp::MallocMessageBuilder message;
  auto operations = message.initRoot<Transaction>().initOtherwise(1);
  operations[0].initPut();
  spoil_tag(operations[0]);
  const auto after = read(message.getRoot<Transaction>().asReader());
  EXPECT_EQ(after.status().code(), Code::kInvalidArgument);
  EXPECT_NE(after.status().detail().find("unknown operation 77"), std::string::npos);
}

TEST(Codec, RefusesUnknownResults) {
  capnp::MallocMessageBuilder message;
  auto results = message.initRoot<TransactionResult>().initResults(1);
  results[0].initPut();
  spoil_tag(results[0]);
  EXPECT_EQ(read(message.getRoot<TransactionResult>().asReader()).status().code(),
            Code::kInvalidArgument);
}

TEST(Codec, RefusesListsThatCostNothingToSend) {
  capnp::MallocMessageBuilder message;
  message.initRoot<Transaction>().initThen((1 << 16) + 1);
  EXPECT_EQ(read(message.getRoot<Transaction>().asReader()).status().code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace schema
