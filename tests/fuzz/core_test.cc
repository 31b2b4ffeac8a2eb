// Well-formed messages of other members that no honest member would send: whatever they say, the
// core that gets them goes on. Byzantine members are out of scope, so what they achieve is not
// judged.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

class Liar {
 public:
  Liar(base::Random& random, Cluster& cluster) : random_(random), cluster_(cluster) {}

  Message message(std::uint64_t from, std::uint64_t to) {
    Message message;
    message.from = MemberId(from);
    message.to = MemberId(to);
    message.incarnation = Incarnation(100 + from);
    const Node& sender = cluster_.node(std::min<std::uint64_t>(from, 3));
    message.opening = sender.options.opening;
    if (!random_.chance(5)) message.to_opening = cluster_.node(to).options.opening;
    const CoreStatus status = cluster_.status(to);
    message.term = random_.chance(150) ? status.term.next() : status.term;
    message.durable = Ordinal{1, random_.below(100)};
    message.body = body(status);
    return message;
  }

 private:
  Index index(const CoreStatus& status) {
    if (random_.chance(20)) return Index(random_.next());
    return Index(random_.below(status.last.value + 4));
  }
  Term term(const CoreStatus& status) {
    return random_.chance(20) ? Term(random_.next()) : Term(random_.below(status.term.value + 2));
  }
  ProgressReport report(const CoreStatus& status) {
    ProgressReport report;
    report.last = index(status);
    report.applied = index(status);
    report.stalled = random_.chance(20);
    report.quarantined = random_.chance(20);
    report.needs_snapshot = random_.chance(5);
    return report;
  }
  std::vector<EntryPtr> entries(Index previous, ChainHash hash) {
    std::vector<EntryPtr> made;
    for (std::uint64_t i = 0; i < random_.below(4); ++i) {
      auto entry = std::make_shared<Entry>();
      entry->index = previous = previous.next();
      entry->term = Term(random_.below(8));
      entry->kind = static_cast<EntryKind>(random_.below(3));
      entry->time = HybridTime(random_.next());
      entry->payload = std::string(random_.below(50), 'x');
      entry->hash = hash = chain_hash(hash, *entry);
      made.push_back(entry);
    }
    return made;
  }
  MessageBody body(const CoreStatus& s) {
    const ChainHash hash{random_.below(3)};
    const Index at = index(s);
    const RoundToken round{term(s), random_.below(4), random_.below(20)};
    switch (random_.below(15)) {
      case 0:
        return RequestVote{random_.chance(2), random_.chance(4), at, term(s), random_.chance(10)};
      case 1:
        return RequestVoteReply{random_.chance(2), random_.chance(2), at, term(s)};
      case 2:
        return AppendEntries{at, term(s), hash, entries(at, hash), index(s), index(s)};
      case 3:
        return AppendEntriesReply{random_.chance(2), at,       index(s), random_.chance(9),
                                  random_.chance(9), report(s)};
      case 4:
        return Heartbeat{index(s), round, index(s), report(s)};
      case 5:
        return HeartbeatReply{round, random_.chance(2), report(s)};
      case 6:
        return TimeoutNow{};
      case 7:
        return Refusal{static_cast<RefusalReason>(2 + random_.below(2)), Ordinal{1, 2}};
      case 8: {
        InstallSnapshot body;
        body.transfer = random_.below(4);
        body.snapshot = {at, term(s), hash, HybridTime(random_.next()),
                         random_.chance(2) ? encode(s.configuration) : "nonsense"};
        body.chunk = random_.below(3);
        body.data = std::make_shared<const std::string>("");
        body.done = random_.chance(2);
        return body;
      }
      case 9:
        return InstallSnapshotReply{random_.below(4), at, random_.below(4), random_.chance(2),
                                    report(s)};
      case 10:
        return Pull{at, term(s), hash};
      case 11:
        return PullReply{random_.chance(2), at, index(s), entries(at, hash), index(s), term(s)};
      case 13:
        return WantTime{HybridTime(random_.next())};
      case 12:
        return ReadIndexRequest{random_.below(100)};
      default:
        return ReadIndexReply{random_.below(100), base::Code::kOk, at};
    }
  }

  base::Random& random_;
  Cluster& cluster_;
};

TEST(FuzzCore, NothingThatAMemberSaysEndsTheProcess) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    base::Random random(seed);
    Cluster cluster(3, seed);
    cluster.keep_lines(false);
    const std::uint64_t leader = cluster.elect();
    for (int i = 0; i < 10; ++i) cluster.propose(leader, "value");
    cluster.run(10);
    Liar liar(random, cluster);
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t to = 1 + random.below(3);
      const std::uint64_t from = random.chance(10) ? 9 : 1 + (to + random.below(2)) % 3;
      const Output output = cluster.step(to, Receive{liar.message(from, to)});
      // The disks and the honest messages go on, but nothing is applied or installed: what a liar
      // made a member believe is not its state machine's business.
      cluster.persist(to);
      if (random.chance(5)) cluster.tick(to, 1 + static_cast<std::uint32_t>(random.below(20)));
      cluster.network().clear();
    }
  }
}

}  // namespace
}  // namespace raft::testing
