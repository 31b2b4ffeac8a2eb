// Directories that begin with a state from elsewhere: they open like any other, stand where they
// were put, and are there as a whole or not at all.
#include "storage/new_directory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/check.h"
#include "storage/memory_engine.h"
#include "tests/conformance/scratch.h"

namespace storage {
namespace {

namespace fs = std::filesystem;

using base::ClusterId;
using base::Code;
using base::Index;
using base::MemberId;
using base::Term;

const raft::Configuration kOne{{{MemberId(2), base::Incarnation(5), "n1", "h:1", "h:2"}}};

class NewDirectories : public testing::Test {
 protected:
  static kv::Position position() {
    kv::Position old;
    old.applied = Index(42);
    old.term = Term(7);
    old.revision = base::Revision(30);
    old.hash = base::ChainHash{99};
    return kv::next_generation(old, ClusterId(1), raft::encode(kOne));
  }
  /// A finished one at PLACE, whose state has one row.
  std::unique_ptr<NewDirectory> made() {
    auto made = NewDirectory::begin(place(), ClusterId(1), MemberId(2));
    CHECK(made.is_ok(), made.status().to_string());
    auto rows = made.value()->begin_rows();
    CHECK(rows.is_ok());
    CHECK(rows.value()->add({{kv::Space::kLatest, "key", "value"}}).is_ok());
    CHECK(rows.value()->finish().is_ok());
    CHECK(made.value()->install(std::move(rows).value()).is_ok());
    const auto status = made.value()->finish(position(), "somebody did something\n");
    CHECK(status.is_ok(), status.to_string());
    return std::move(made).value();
  }
  base::Result<std::unique_ptr<DataDirectory>> open() {
    return DataDirectory::open({.path = path(), .cluster = ClusterId(1), .member = MemberId(2)});
  }
  std::string path() const { return scratch_.path(); }
  std::string place() const { return path() + "/" + std::string(kRestoring); }

  conformance::ScratchDirectory scratch_;
};

TEST_F(NewDirectories, OpenLikeAnyOther) {
  const auto incarnation = [&] {
    auto directory = made();
    EXPECT_TRUE(directory->put_at(path()).is_ok());
    return directory->identity().incarnation;
  }();
  EXPECT_FALSE(fs::exists(place()));
  EXPECT_EQ(read_audit(path() + "/member").value(), "somebody did something\n");
  for (int opening = 0; opening < 2; ++opening) {
    auto directory = open();
    ASSERT_TRUE(directory.is_ok()) << directory.status().to_string();
    EXPECT_EQ(directory.value()->log().identity().incarnation, incarnation);
    auto engine = directory.value()->take_engine();
    EXPECT_EQ(engine->get(kv::Space::kLatest, "key").value(), "value");
    auto machine = kv::StateMachine::open(std::move(engine)).value();
    EXPECT_EQ(machine->position(), position());
    auto recovered = reconcile(directory.value()->log(), machine->position(), {});
    ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
    EXPECT_FALSE(recovered->quarantined) << recovered->quarantine_reason;
    EXPECT_EQ(recovered->first, position().applied.next());
    EXPECT_EQ(recovered->previous_hash, position().hash);
    EXPECT_EQ(recovered->hard_state.term, position().term);
    EXPECT_EQ(recovered->configuration, kOne);
  }
}

TEST_F(NewDirectories, TheNextGenerationGivesNothingOutAgain) {
  EXPECT_EQ(position().generation, 1u);
  EXPECT_GT(position().applied, Index(1'000'000'000));
  EXPECT_GT(position().term, Term(1'000'000'000));
  EXPECT_GT(position().revision, base::Revision(1'000'000'000));
  EXPECT_NE(position().hash, base::ChainHash{99});
  kv::Position old = position();
  EXPECT_NE(kv::next_generation(old, ClusterId(1), "").hash,
            kv::next_generation(old, ClusterId(2), "").hash)
      << "two clusters from one state never take each other's entries for their own";
}

TEST_F(NewDirectories, UntilItIsPutThereIsNoMember) {
  (void)made();
  EXPECT_FALSE(fs::exists(path() + "/member"));
  const auto refused = open();
  ASSERT_FALSE(refused.is_ok()) << "an empty member in its place would forget the whole state";
  EXPECT_EQ(refused.status().code(), Code::kCorrupt);
  EXPECT_NE(refused.status().detail().find("run it again"), std::string::npos);
  EXPECT_FALSE(fs::exists(path() + "/member"));
  // And it begins anew over what was left.
  ASSERT_TRUE(made()->put_at(path()).is_ok());
  EXPECT_TRUE(open().is_ok());
}

TEST_F(NewDirectories, TakeAnothersPlaceAndKeepIt) {
  base::Incarnation before;
  {
    auto old = open();
    ASSERT_TRUE(old.is_ok());
    before = old.value()->log().identity().incarnation;
  }
  auto directory = made();
  ASSERT_TRUE(directory->exchange_with(path()).is_ok());
  auto now = open();
  ASSERT_TRUE(now.is_ok()) << now.status().to_string();
  EXPECT_EQ(now.value()->log().identity().incarnation, directory->identity().incarnation);
  auto kept =
      DataDirectory::open({.path = place(), .cluster = ClusterId(1), .member = MemberId(2)});
  ASSERT_TRUE(kept.is_ok()) << kept.status().to_string();
  EXPECT_EQ(kept.value()->log().identity().incarnation, before);
}

TEST_F(NewDirectories, OneLockADirectory) {
  auto held = open();
  ASSERT_TRUE(held.is_ok());
  EXPECT_EQ(lock_member_directory(path() + "/member").status().code(), Code::kLocked);
  held = base::Status(Code::kInternal, "let go");
  EXPECT_TRUE(lock_member_directory(path() + "/member").is_ok());
}

}  // namespace
}  // namespace storage
