// The stored layouts, byte by byte, so that they cannot drift; and that no bytes can hurt a
// decoder.
#include "kv/row.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <functional>

#include "base/random.h"

namespace kv {
namespace {

using base::Code;
using base::Random;

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += base::to_hex(static_cast<unsigned char>(c)).substr(14);
  return text;
}

KeyValue item() {
  return {"key", "value", Revision(0x0102), Revision(0x0304), 5, LeaseId(6), HybridTime(7)};
}

Outcome outcome() {
  Outcome made{Index(9), 4, {}};
  made.reply.detail = "d";
  made.reply.result.revision = Revision(8);
  made.reply.result.results = {RangeResult{{item()}, 2, true}, PutResult{item()}, PutResult{},
                               DeleteResult{1, {item()}}};
  return made;
}

Position position() {
  Position made;
  made.applied = Index(1);
  made.term = Term(2);
  made.hash.value = 3;
  made.log_ordinal = {4, 5};
  made.revision = Revision(6);
  made.time = HybridTime(7);
  made.generation = 8;
  made.digest = 9;
  made.configuration = "c";
  made.compacted = Revision(10);
  made.compacted_time = HybridTime(11);
  made.retention = {12, 13};
  return made;
}

TEST(Row, LayoutsAreFixed) {
  const std::string latest =
      "01"
      "0000000000000102"
      "0000000000000304"
      "0000000000000005"
      "0000000000000006"
      "0000000000000007"
      "76616c7565";
  EXPECT_EQ(hex(encode_latest(item())), latest);
  EXPECT_EQ(hex(history_key(Revision(0x0304), 2)), "000000000000030400000002");
  const std::string event =
      "01"
      "01"
      "0000000000000102"
      "0000000000000005"
      "0000000000000006"
      "0000000000000007"
      "00000003"
      "6b6579"
      "76616c7565";
  EXPECT_EQ(hex(encode_event({2, false, item()})), event);
  EXPECT_EQ(hex(version_key(std::string("a\0b", 3), Revision(0x0304))),
            "6100ff62"
            "0001"
            "fffffffffffffcfb");
  EXPECT_EQ(hex(encode_version({.sub_index = 2, .deleted = true})), "010200000002");
  EXPECT_EQ(hex(encode_swept(history_key(Revision(1), 2))), "01000000000000000100000002");
  EXPECT_EQ(hex(session_key(SessionId(1))), "0000000000000001");
  EXPECT_EQ(hex(outcome_key(SessionId(1), 2)), "00000000000000010000000000000002");
  EXPECT_EQ(hex(encode_session()), "01");
  EXPECT_EQ(hex(lease_key(LeaseId(2))), "0000000000000002");
  EXPECT_EQ(hex(attachment_key(LeaseId(2), "ab")), "00000000000000026162");
  EXPECT_EQ(hex(encode_attachment()), "01");
  EXPECT_EQ(hex(encode_lease({LeaseId(9), 5000, SessionId(3), 7, {}})),
            "01000000000000138800000000000000030000000000000007");
  Outcome small{Index(9), 4, {}};
  small.reply.result = {true, Revision(8), {PutResult{}}};
  const std::string kept =
      "01"
      "0000000000000009"
      "0000000000000004"
      "0000"
      "00000000"
      "0000000000000000"
      "01"
      "0000000000000008"
      "00000001"
      "02"
      "00";
  EXPECT_EQ(hex(encode_outcome(small)), kept);
  const std::string at =
      "02"
      "0000000000000001"
      "0000000000000002"
      "0000000000000003"
      "0000000000000004"
      "0000000000000005"
      "0000000000000006"
      "0000000000000007"
      "0000000000000008"
      "0000000000000009"
      "00000001"
      "63"
      "000000000000000a"
      "000000000000000b"
      "000000000000000c"
      "000000000000000d";
  EXPECT_EQ(hex(encode_position(position())), at);
}

TEST(Row, EachComesBackAsItWas) {
  EXPECT_EQ(decode_latest("key", encode_latest(item())).value(), item());
  Event put{7, false, item()};
  EXPECT_EQ(decode_event(history_key(Revision(0x0304), 7), encode_event(put)).value(), put);
  Event erased{0, true, {}};
  erased.item.key = "k";
  erased.item.modify_revision = Revision(3);
  EXPECT_EQ(decode_event(history_key(Revision(3), 0), encode_event(erased)).value(), erased);
  EXPECT_EQ(decode_outcome(encode_outcome(outcome())).value(), outcome());
  EXPECT_EQ(decode_outcome_head(encode_outcome(outcome()))->acknowledged_below, 4u);
  EXPECT_EQ(decode_position(encode_position(position())).value(), position());
  EXPECT_EQ(decode_session_key(session_key(SessionId(5)))->sequence, 0u);
  EXPECT_EQ(decode_session_key(outcome_key(SessionId(5), 6))->sequence, 6u);
  EXPECT_TRUE(decode_session(encode_session()).is_ok());
}

TEST(Row, HistorySortsAsItHappened) {
  EXPECT_LT(history_key(Revision(1), 255), history_key(Revision(1), 256));
  EXPECT_LT(history_key(Revision(255), 9), history_key(Revision(256), 0));
}

TEST(Row, ALongOutcomeIsKeptWithoutItsResults) {
  Outcome long_one{Index(9), 4, {}};
  KeyValue big = item();
  big.value.assign(kOutcomeBytes, 'v');
  long_one.reply.result = {true, Revision(8), {PutResult{big}}};
  const std::string row = encode_outcome(long_one);
  EXPECT_LT(row.size(), 300u);
  const Outcome kept = decode_outcome(row).value();
  EXPECT_EQ(kept.reply.code, Code::kOk);
  EXPECT_TRUE(kept.reply.result.results.empty());
  EXPECT_TRUE(kept.reply.result.succeeded);
  EXPECT_EQ(kept.reply.result.revision, Revision(8));
  EXPECT_EQ(kept.reply.detail.substr(0, 21), "applied at revision 8");
  EXPECT_NE(kept.reply.detail.find("too large to keep"), std::string::npos);
}

struct Row {
  std::string name;
  std::string bytes;
  std::function<Code(std::string_view)> decode;
};

std::vector<Row> rows() {
  return {
      {"latest", encode_latest(item()),
       [](auto bytes) { return decode_latest("k", bytes).status().code(); }},
      {"event", encode_event({2, false, item()}),
       [](auto bytes) { return decode_event(history_key(Revision(1), 0), bytes).status().code(); }},
      {"version", encode_version({}),
       [](auto bytes) {
         return decode_version(version_key("k", Revision(1)), bytes).status().code();
       }},
      {"swept", encode_swept(history_key(Revision(1), 2)),
       [](auto bytes) { return decode_swept(bytes).status().code(); }},
      {"session", encode_session(), [](auto bytes) { return decode_session(bytes).code(); }},
      {"lease", encode_lease({LeaseId(9), 5000, SessionId(3), 7, {}}),
       [](auto bytes) { return decode_lease(LeaseId(9), bytes).status().code(); }},
      {"outcome", encode_outcome(outcome()),
       [](auto bytes) { return decode_outcome(bytes).status().code(); }},
      {"outcome head", encode_outcome(outcome()),
       [](auto bytes) { return decode_outcome_head(bytes).status().code(); }},
      {"position", encode_position(position()),
       [](auto bytes) { return decode_position(bytes).status().code(); }},
  };
}

TEST(Row, VersionsSortByKeyThenNewestFirst) {
  const std::vector<std::string> keys = {std::string("\0", 1),
                                         std::string("\0\0", 2),
                                         std::string("\0\1", 2),
                                         "\1",
                                         "a",
                                         std::string("a\0", 2),
                                         std::string("a\0\xff", 3),
                                         "a\1",
                                         "ab",
                                         "b",
                                         "\xff",
                                         "\xff\xff"};
  std::vector<std::string> rows;
  for (const std::string& key : keys) {
    rows.push_back(versions_begin(key));
    for (const std::uint64_t revision :
         {std::uint64_t{1} << 40, std::uint64_t{256}, std::uint64_t{1}}) {
      rows.push_back(version_key(key, Revision(revision)));
      const auto version = decode_version(rows.back(), encode_version({.sub_index = 7}));
      ASSERT_TRUE(version.is_ok());
      EXPECT_EQ(version.value().key, key);
      EXPECT_EQ(version.value().revision, Revision(revision));
    }
    rows.push_back(versions_end(key));
  }
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
}

TEST(Row, FormatsAreToldApart) {
  for (const Row& row : rows()) {
    std::string bytes = row.bytes;
    EXPECT_EQ(row.decode(bytes), Code::kOk) << row.name;
    ++bytes[0];
    EXPECT_EQ(row.decode(bytes), Code::kNewerFormat) << row.name;
    bytes[0] = 0;
    EXPECT_EQ(row.decode(bytes), Code::kCorrupt) << row.name;
    EXPECT_EQ(row.decode(""), Code::kCorrupt) << row.name;
  }
}

TEST(Row, TooShortIsCorrupt) {
  for (const Row& row : rows()) {
    const bool head = row.name == "outcome head";
    const bool open_end = row.name == "latest" || row.name == "event";  // they end with the value
    const std::size_t needed = head ? 17 : row.bytes.size() - (open_end ? 5 : 0);
    for (std::size_t size = 0; size < needed; ++size)
      EXPECT_EQ(row.decode(row.bytes.substr(0, size)), Code::kCorrupt) << row.name << " " << size;
    if (head || open_end) continue;
    EXPECT_EQ(row.decode(row.bytes + "x"), Code::kCorrupt) << row.name;
  }
}

TEST(Row, AnyBytesAreSafe) {
  Random random(1);
  for (const Row& row : rows()) {
    for (int i = 0; i < 5000; ++i) {
      std::string bytes = row.bytes;
      if (random.chance(2)) {
        bytes.assign(random.below(200), '\0');
        for (char& c : bytes) c = static_cast<char>(random.next());
        if (!bytes.empty()) bytes[0] = 1;
      } else {
        for (auto n = random.between(1, 5); n > 0; --n)
          bytes[random.below(bytes.size())] = static_cast<char>(random.next());
      }
      const Code code = row.decode(bytes);
      ASSERT_TRUE(code == Code::kOk || code == Code::kCorrupt || code == Code::kNewerFormat);
    }
  }
}

TEST(Row, KeysThatAreNoneAreCorrupt) {
  EXPECT_EQ(decode_lease_key("1234567").status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_lease_key(lease_key(LeaseId(0))).status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_session_key("").status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_session_key("1234567").status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_session_key("123456789").status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_session_key(std::string(17, 'x')).status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_session_key(session_key(SessionId(0))).status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_session_key(outcome_key(SessionId(1), 0)).status().code(), Code::kCorrupt);
  EXPECT_EQ(decode_event("short", encode_event({2, false, item()})).status().code(),
            Code::kCorrupt);
}

}  // namespace
}  // namespace kv
