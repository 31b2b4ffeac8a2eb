// Partial partitions: whatever links are cut, as long as somebody still reaches a majority both
// ways, a leader stands, writes go on, and leadership comes to rest (reference failures.md section
// 5).
//
// An ordinary run takes a seeded sample; HOLDFAST_MATRICES=all every matrix of directed links up to
// renaming, with every member as the old leader (some CPU minutes), =off the same without pulling.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

// Short, so that many runs fit into a minute; everything else is counted in these.
constexpr std::uint32_t kT = 8;

void tune(Options& options) {
  options.heartbeat_ticks = 2;
  options.election_ticks = kT;
  options.check_quorum_ticks = 2 * kT;
  options.stall_ticks = 2 * kT;
}
void tune_without_pull(Options& options) {
  tune(options);
  options.pull_before_candidacy = false;
}

/// Bit from * n + to: the link carries messages.
using Matrix = std::uint32_t;

bool carries(Matrix matrix, std::size_t n, std::size_t from, std::size_t to) {
  return (matrix >> (from * n + to) & 1) != 0;
}

/// Whether somebody reaches a majority both ways, itself included.
bool has_quorum_connected(Matrix matrix, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t reached = 1;
    for (std::size_t j = 0; j < n; ++j) {
      if (j != i && carries(matrix, n, i, j) && carries(matrix, n, j, i)) ++reached;
    }
    if (reached > n / 2) return true;
  }
  return false;
}

/// One of each class of matrices that are equal up to renaming.
std::vector<Matrix> classes_of(std::size_t n) {
  std::vector<std::pair<std::size_t, std::size_t>> links;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i != j) links.emplace_back(i, j);
    }
  }
  const std::size_t count = std::size_t{1} << links.size();
  std::vector<bool> seen(count, false);
  std::vector<Matrix> found;
  std::vector<std::size_t> names(n);
  std::vector<std::vector<std::size_t>> renamings;
  std::iota(names.begin(), names.end(), 0);
  do {
    std::vector<std::size_t> to(links.size());
    for (std::size_t bit = 0; bit < links.size(); ++bit) {
      const auto renamed = std::pair(names[links[bit].first], names[links[bit].second]);
      to[bit] =
          static_cast<std::size_t>(std::find(links.begin(), links.end(), renamed) - links.begin());
    }
    renamings.push_back(to);
  } while (std::next_permutation(names.begin(), names.end()));
  for (std::size_t each = 0; each < count; ++each) {
    if (seen[each]) continue;
    for (const auto& to : renamings) {
      std::size_t renamed = 0;
      for (std::size_t bit = 0; bit < links.size(); ++bit) {
        renamed |= (each >> bit & 1) << to[bit];
      }
      seen[renamed] = true;
    }
    Matrix matrix = 0;
    for (std::size_t bit = 0; bit < links.size(); ++bit) {
      if (each >> bit & 1) matrix |= Matrix{1} << (links[bit].first * n + links[bit].second);
    }
    found.push_back(matrix);
  }
  return found;
}

struct Case {
  std::size_t n = 3;
  Matrix matrix = 0;
  std::uint64_t leader = 1;  // the old one
  std::uint32_t stale = 0;   // bit i: member i + 1 lacks the last entries
  std::uint64_t seed = 1;
  bool pulls = true;
};

std::string show(const Case& each) {
  std::string text = std::to_string(each.n) + " members, old leader " +
                     std::to_string(each.leader) + ", stale " + std::to_string(each.stale) +
                     ", seed " + std::to_string(each.seed) + ", links";
  for (std::size_t i = 0; i < each.n; ++i) {
    for (std::size_t j = 0; j < each.n; ++j) {
      if (i != j && carries(each.matrix, each.n, i, j))
        text += " " + std::to_string(i + 1) + ">" + std::to_string(j + 1);
    }
  }
  return text;
}

class Partition {
 public:
  explicit Partition(const Case& each)
      : case_(each), cluster_(each.n, each.seed, each.pulls ? tune : tune_without_pull) {
    cluster_.keep_lines(false);
  }

  /// Empty if everything holds.
  std::string run() {
    if (!prepare()) return "the old leader could not be made to lead";
    for (std::uint64_t from = 1; from <= case_.n; ++from) {
      for (std::uint64_t to = 1; to <= case_.n; ++to) {
        if (from != to && !carries(case_.matrix, case_.n, from - 1, to - 1)) cluster_.cut(from, to);
      }
    }
    const Index before = highest_commit();
    bool goes_on = false;
    for (int i = 0; i < 20 && !goes_on; ++i) {
      propose();
      cluster_.run(kT);
      goes_on = highest_commit() > before + 1;
    }
    if (!goes_on) return "no write within 20 T";
    cluster_.run(4 * kT);
    forget();
    const Index settled = highest_commit();
    for (int i = 0; i < 40; ++i) {
      propose();
      cluster_.run(kT);
    }
    if (highest_commit() <= settled + 20) return "writes do not go on";
    const std::size_t changes = elections();
    return changes > 1 ? std::to_string(changes) + " elections after it had settled" : "";
  }

 private:
  bool prepare() {
    const std::uint64_t first = cluster_.elect();
    cluster_.run(2 * kT);
    if (first != case_.leader) {
      cluster_.step(first, TransferLeadership{99, MemberId(case_.leader)});
      for (int i = 0; i < 10 && cluster_.leader() != case_.leader; ++i) cluster_.run(kT);
    }
    cluster_.run(2 * kT);
    for (std::uint64_t id = 1; id <= case_.n; ++id) {
      if ((case_.stale >> (id - 1) & 1) && id != case_.leader) cluster_.isolate(id);
    }
    for (int i = 0; i < 3; ++i) propose();
    cluster_.run(2);
    cluster_.heal();
    return cluster_.leader() == case_.leader;
  }
  /// On everybody who says that it leads.
  void propose() {
    for (std::uint64_t id = 1; id <= case_.n; ++id) {
      if (cluster_.status(id).role == Role::kLeader) cluster_.propose(id, "value");
    }
  }
  Index highest_commit() {
    Index highest;
    for (std::uint64_t id = 1; id <= case_.n; ++id) {
      highest = std::max(highest, cluster_.status(id).commit);
    }
    return highest;
  }
  void forget() {
    for (std::uint64_t id = 1; id <= case_.n; ++id) cluster_.node(id).trace.clear();
  }
  std::size_t elections() {
    std::size_t count = 0;
    for (std::uint64_t id = 1; id <= case_.n; ++id) {
      for (const TraceEvent& event : cluster_.node(id).trace) {
        count += event.kind == TraceKind::kBecameLeader ? 1 : 0;
      }
    }
    return count;
  }

  const Case case_;
  Cluster cluster_;
};

struct Tally {
  std::size_t runs = 0;
  std::size_t failed = 0;
  void take(const Case& each) {
    ++runs;
    const std::string wrong = Partition(each).run();
    if (wrong.empty()) return;
    ++failed;
    if (failed <= 5) std::printf("%s: %s\n", show(each).c_str(), wrong.c_str());
    EXPECT_TRUE(!each.pulls) << show(each) << ": " << wrong;
  }
};

/// Nobody stale, and as many as a majority can do without.
std::uint32_t draw_stale(base::Random& random, std::size_t n) {
  std::uint32_t stale = 0;
  while (std::popcount(stale) < static_cast<int>(n / 2)) {
    stale |= std::uint32_t{1} << random.below(n);
  }
  return stale;
}

TEST(Matrices, ThereAreSixteenAnd9608Classes) {
  EXPECT_EQ(classes_of(3).size(), 16u);
  const char* mode = std::getenv("HOLDFAST_MATRICES");
  if (mode != nullptr) {
    EXPECT_EQ(classes_of(5).size(), 9608u);
  }
}

TEST(Matrices, EveryOneOfThreeMembersRecovers) {
  Tally tally;
  base::Random random(3);
  for (const Matrix matrix : classes_of(3)) {
    if (!has_quorum_connected(matrix, 3)) continue;
    for (std::uint64_t leader = 1; leader <= 3; ++leader) {
      for (std::uint32_t stale = 0; stale < 8; ++stale) {
        if (std::popcount(stale) > 1) continue;
        tally.take({3, matrix, leader, stale, random.next(), true});
      }
    }
  }
  std::printf("%zu runs, %zu failed\n", tally.runs, tally.failed);
}

TEST(Matrices, OfFiveMembersRecover) {
  const char* given = std::getenv("HOLDFAST_MATRICES");
  const std::string mode = given == nullptr ? "" : given;
  base::Random random(5);
  Tally tally;
  if (mode.empty()) {
    while (tally.runs < 250) {
      Matrix matrix = 0;
      // Sparse ones are the hard ones.
      for (std::size_t bit = 0; bit < 25; ++bit) matrix |= Matrix{random.chance(2)} << bit;
      if (!has_quorum_connected(matrix, 5)) continue;
      tally.take({5, matrix, 1 + random.below(5), tally.runs % 2 ? draw_stale(random, 5) : 0,
                  random.next(), true});
    }
  } else {
    const auto classes = classes_of(5);
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (!has_quorum_connected(classes[i], 5)) continue;
      for (std::uint64_t leader = 1; leader <= 5; ++leader) {
        for (const std::uint32_t stale : {0u, draw_stale(random, 5)}) {
          tally.take({5, classes[i], leader, stale, random.next(), mode != "off"});
        }
      }
      if (i % 200 == 0) {
        std::printf("%zu of %zu classes, %zu runs, %zu failed\n", i, classes.size(), tally.runs,
                    tally.failed);
        std::fflush(stdout);
      }
    }
  }
  std::printf("%zu runs, %zu failed\n", tally.runs, tally.failed);
}

}  // namespace
}  // namespace raft::testing
