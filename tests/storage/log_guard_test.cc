#include "storage/log_guard.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "storage/log_rows.h"

namespace storage_test {
namespace {

using base::ChainHash;
using base::Index;
using base::MemberId;
using base::Ordinal;
using base::Status;
using base::Term;
using storage::Claim;
using storage::Evidence;
using storage::find_loss;
using storage::Slot;
using storage::WholeLog;

/// Rows in a map, with a reader that may fail.
struct Rows {
  std::map<std::string, std::string, std::less<>> rows;
  std::string unreadable_from = "~";  // scanning fails here

  storage::LogRows reader() const {
    storage::LogRows reader;
    reader.get = [this](std::string_view key) -> base::Result<std::optional<std::string>> {
      const auto row = rows.find(key);
      return row == rows.end() ? std::optional<std::string>() : std::optional(row->second);
    };
    reader.scan = [this](std::string_view begin, const auto& visit) {
      for (auto row = rows.lower_bound(begin); row != rows.end(); ++row) {
        if (row->first >= unreadable_from) return Status(base::Code::kCorrupt, "a bad block");
        if (!visit(row->first, row->second)) break;
      }
      return Status::ok();
    };
    return reader;
  }
};

raft::Entry make_entry(Index index, Term term, ChainHash previous, std::string payload) {
  raft::Entry entry;
  entry.index = index;
  entry.term = term;
  entry.kind = raft::EntryKind::kCommand;
  entry.payload = std::move(payload);
  entry.hash = raft::chain_hash(previous, entry);
  return entry;
}

/// A log of entries 11..15 behind a cut at 10.
Rows make_rows() {
  Rows rows;
  rows.rows[std::string(storage::kHardStateKey)] =
      storage::encode_row(raft::HardState{Term(4), MemberId(1), {}});
  rows.rows[std::string(storage::kMarkerKey)] =
      storage::encode_row(storage::Marker{Index(10), Term(3), ChainHash{1010}});
  rows.rows[std::string(storage::kOrdinalKey)] = storage::encode_row(Ordinal{2, 4});
  ChainHash previous{1010};
  for (std::uint64_t i = 11; i <= 15; ++i) {
    const auto entry = make_entry(Index(i), Term(4), previous, "payload " + std::to_string(i));
    previous = entry.hash;
    rows.rows[storage::entry_key(Index(i))] = storage::encode_row(entry, {2, i});
  }
  return rows;
}

TEST(ReadWholeLog, ReadsAllOfASoundLog) {
  const WholeLog log = read_whole_log(make_rows().reader());
  EXPECT_EQ(log.damage, std::nullopt);
  EXPECT_EQ(log.hard_state.term, Term(4));
  EXPECT_EQ(log.marker, (storage::Marker{Index(10), Term(3), ChainHash{1010}}));
  EXPECT_EQ(log.metas.size(), 5u);
  EXPECT_EQ(log.recovered, (Claim{{2, 15}, Index(15), Term(4)}));
}

TEST(ReadWholeLog, TheOrdinalRowCountsWhereItIsHigher) {
  Rows rows = make_rows();
  rows.rows[std::string(storage::kOrdinalKey)] = storage::encode_row(Ordinal{2, 99});
  EXPECT_EQ(read_whole_log(rows.reader()).recovered.ordinal, (Ordinal{2, 99}));
}

TEST(ReadWholeLog, RowsBelowTheMarkerAreLeftOfACut) {
  Rows rows = make_rows();
  rows.rows[storage::entry_key(Index(9))] = "whatever";
  EXPECT_EQ(read_whole_log(rows.reader()).damage, std::nullopt);
}

struct DamageCase {
  std::string name;
  std::function<void(Rows&)> damage;
  std::size_t whole;  // entries that are whole all the same
  std::string reason;
};

class ReadDamagedLog : public testing::TestWithParam<DamageCase> {};

TEST_P(ReadDamagedLog, EndsBeforeTheDamageAndSaysWhy) {
  Rows rows = make_rows();
  GetParam().damage(rows);
  const WholeLog log = read_whole_log(rows.reader());
  ASSERT_TRUE(log.damage.has_value());
  EXPECT_NE(log.damage->find(GetParam().reason), std::string::npos) << *log.damage;
  EXPECT_EQ(log.metas.size(), GetParam().whole);
  EXPECT_EQ(log.recovered.last, log.marker.index + GetParam().whole);
}

void substitute(Rows& rows, std::uint64_t index) {
  const auto forged = make_entry(Index(index), Term(4), ChainHash{5}, "another history");
  rows.rows[storage::entry_key(Index(index))] = storage::encode_row(forged, {2, index});
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ReadDamagedLog,
    testing::Values(
        DamageCase{"AHole", [](Rows& rows) { rows.rows.erase(storage::entry_key(Index(13))); }, 2,
                   "entry 13 of the log is missing"},
        DamageCase{"AHoleAtTheBeginning",
                   [](Rows& rows) { rows.rows.erase(storage::entry_key(Index(11))); }, 0,
                   "entry 11 of the log is missing"},
        DamageCase{"AFlippedBit",
                   [](Rows& rows) { rows.rows[storage::entry_key(Index(14))][30] ^= 1; }, 3,
                   "checksum of entry 14"},
        DamageCase{"AnEmptyRow", [](Rows& rows) { rows.rows[storage::entry_key(Index(12))] = ""; },
                   1, "checksum of entry 12"},
        DamageCase{"ASoundRowUnderAnotherIndex",
                   [](Rows& rows) {
                     rows.rows[storage::entry_key(Index(12))] =
                         rows.rows[storage::entry_key(Index(13))];
                   },
                   1, "checksum of entry 12"},
        DamageCase{"AnotherHistory", [](Rows& rows) { substitute(rows, 13); }, 2,
                   "chain of hashes breaks at entry 13"},
        DamageCase{"ABadBlock",
                   [](Rows& rows) { rows.unreadable_from = storage::entry_key(Index(14)); }, 3,
                   "a bad block"},
        DamageCase{"AnUnknownRow", [](Rows& rows) { rows.rows["f"] = "?"; }, 5, "unknown"},
        DamageCase{"NoHardState",
                   [](Rows& rows) { rows.rows.erase(std::string(storage::kHardStateKey)); }, 5,
                   "term and vote"},
        DamageCase{"NoOrdinal",
                   [](Rows& rows) { rows.rows.erase(std::string(storage::kOrdinalKey)); }, 5,
                   "ordinal"},
        DamageCase{"NoMarker",
                   [](Rows& rows) { rows.rows.erase(std::string(storage::kMarkerKey)); }, 0,
                   "first-index marker"},
        DamageCase{"AFlippedMarker",
                   [](Rows& rows) { rows.rows[std::string(storage::kMarkerKey)][4] ^= 8; }, 0,
                   "first-index marker"}),
    [](const auto& each) { return each.param.name; });

// ---- The verdict ----

WholeLog whole_log() {
  WholeLog log;
  log.hard_state = {Term(4), MemberId(1), {}};
  log.recovered = {{2, 15}, Index(15), Term(4)};
  return log;
}

Evidence evidence(const Claim& slot) {
  Evidence evidence;
  evidence.slot = Slot{1, slot, {Term(4), MemberId(1), {}}};
  return evidence;
}

TEST(FindLoss, NothingLost) {
  EXPECT_EQ(find_loss(whole_log(), evidence({{2, 15}, Index(15), Term(4)})), std::nullopt);
}

TEST(FindLoss, DamageIsALossEvenWhereEveryOrdinalIsThere) {
  WholeLog log = whole_log();
  log.damage = "the log's term and vote is missing";
  const auto loss = find_loss(log, evidence({{2, 15}, Index(15), Term(4)}));
  ASSERT_TRUE(loss.has_value());
  EXPECT_NE(loss->find(*log.damage), std::string::npos);
}

TEST(FindLoss, AnOlderWatermarkAndAnyLastIndexUnderALowerOrdinalAreFine) {
  // A truncation since: the log was longer then.
  EXPECT_EQ(find_loss(whole_log(), evidence({{2, 14}, Index(40), Term(3)})), std::nullopt);
  EXPECT_EQ(find_loss(whole_log(), evidence({{1, 900}, Index(2), Term(1)})), std::nullopt);
}

TEST(FindLoss, TheWatermarkKnowsMore) {
  EXPECT_NE(find_loss(whole_log(), evidence({{2, 16}, Index(16), Term(4)})), std::nullopt);
  EXPECT_NE(find_loss(whole_log(), evidence({{3, 0}, Index(15), Term(4)})), std::nullopt);
}

TEST(FindLoss, TheSameOrdinalWithAnotherEnd) {
  EXPECT_NE(find_loss(whole_log(), evidence({{2, 15}, Index(16), Term(4)})), std::nullopt);
  EXPECT_NE(find_loss(whole_log(), evidence({{2, 15}, Index(15), Term(3)})), std::nullopt);
}

TEST(FindLoss, AClaimOfTheLogKnowsMore) {
  Evidence found = evidence({{2, 10}, Index(10), Term(4)});
  found.claim = Claim{{2, 15}, Index(15), Term(4)};
  EXPECT_EQ(find_loss(whole_log(), found), std::nullopt);
  found.claim = Claim{{2, 17}, Index(15), Term(4)};
  const auto loss = find_loss(whole_log(), found);
  ASSERT_TRUE(loss.has_value());
  EXPECT_NE(loss->find("2.17"), std::string::npos) << *loss;
  EXPECT_NE(loss->find("2.15"), std::string::npos) << *loss;
}

TEST(FindLoss, AMissingWatermarkIsAShortfall) {
  EXPECT_NE(find_loss(whole_log(), Evidence())->find("watermark"), std::string::npos);
}

TEST(FindLoss, BothUnreadableIsWiped) {
  Evidence nothing;
  nothing.log_opened = false;
  EXPECT_NE(find_loss(WholeLog(), nothing)->find("wiped"), std::string::npos);
  Evidence slot_only = evidence({{2, 15}, Index(15), Term(4)});
  slot_only.log_opened = false;
  EXPECT_EQ(find_loss(WholeLog(), slot_only)->find("wiped"), std::string::npos);
}

TEST(FindLoss, ALostTerm) {
  Evidence later = evidence({{2, 15}, Index(15), Term(4)});
  later.slot->hard_state.term = Term(5);
  EXPECT_NE(find_loss(whole_log(), later), std::nullopt);
  WholeLog log = whole_log();
  log.hard_state.term = Term(3);  // below its own last entry's
  EXPECT_NE(find_loss(log, evidence({{2, 10}, Index(10), Term(3)})), std::nullopt);
}

TEST(Merge, TheHigherTermCountsAndAtEqualTermsTheVoteOfWhicheverHasOne) {
  const raft::HardState none{Term(4), {}, {}};
  const raft::HardState vote{Term(4), MemberId(2), {3, 9}};
  const raft::HardState later{Term(5), {}, {}};
  EXPECT_EQ(storage::merge(none, vote), vote);
  EXPECT_EQ(storage::merge(vote, none), vote);
  EXPECT_EQ(storage::merge(later, vote), later);
  EXPECT_EQ(storage::merge(vote, later), later);
  EXPECT_EQ(storage::merge(none, none), none);
}

// ---- Rows ----

TEST(LogRows, SortByIndex) {
  EXPECT_LT(storage::kHardStateKey, storage::entry_key(Index(0)));
  EXPECT_LT(storage::kMarkerKey, storage::entry_key(Index(0)));
  EXPECT_LT(storage::kOrdinalKey, storage::entry_key(Index(0)));
  EXPECT_LT(storage::entry_key(Index(255)), storage::entry_key(Index(256)));
  EXPECT_EQ(storage::index_of_key(storage::entry_key(Index(0x0102030405060708))),
            Index(0x0102030405060708));
  EXPECT_EQ(storage::index_of_key("e123"), std::nullopt);
}

TEST(LogRows, ComeBackAsTheyWere) {
  const raft::HardState hard_state{Term(7), MemberId(8), {9, 10}};
  EXPECT_EQ(storage::decode_hard_state(storage::encode_row(hard_state)), hard_state);
  const Claim claim{{1, 2}, Index(3), Term(4)};
  EXPECT_EQ(storage::decode_claim(storage::encode_claim(claim)), claim);
  auto entry = make_entry(Index(5), Term(6), ChainHash{7}, std::string("pay\0load", 8));
  entry.time = base::HybridTime(123, 4);
  const auto row = storage::decode_entry(Index(5), storage::encode_row(entry, {8, 9}));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->entry->payload, entry.payload);
  EXPECT_EQ(row->entry->time, entry.time);
  EXPECT_EQ(row->entry->kind, entry.kind);
  EXPECT_EQ(row->entry->hash, entry.hash);
  EXPECT_EQ(row->ordinal, (Ordinal{8, 9}));
}

TEST(LogRows, AnyFlippedBitIsRefused) {
  const auto entry = make_entry(Index(5), Term(6), ChainHash{7}, "payload");
  const std::string row = storage::encode_row(entry, {8, 9});
  const std::string claim = storage::encode_claim({{1, 2}, Index(3), Term(4)});
  for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
    std::string flipped = row;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    EXPECT_EQ(storage::decode_entry(Index(5), flipped).has_value(), false) << bit;
  }
  for (std::size_t bit = 0; bit < claim.size() * 8; ++bit) {
    std::string flipped = claim;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    EXPECT_EQ(storage::decode_claim(flipped), std::nullopt) << bit;
  }
}

}  // namespace
}  // namespace storage_test
