#include "tests/server/members.h"

#include <gtest/gtest.h>

namespace server::testing {

Member::Member(base::MemberId id, const raft::Configuration& configuration,
               ReplicaOptions options) {
  raft::Options core;
  core.self = id;
  core.incarnation = base::Incarnation(1000 + id.value);
  core.opening = {1, id.value};
  core.seed = id.value;
  raft::Recovered recovered;
  recovered.configuration = configuration;
  replica_ = std::make_unique<Replica>(options, core, recovered, position_,
                                       ReplicaPorts{.log = this,
                                                    .apply = this,
                                                    .snapshots = this,
                                                    .transport = this,
                                                    .clients = this,
                                                    .trace = this});
}

void Member::apply(std::vector<raft::EntryPtr> entries, base::Ordinal) {
  EXPECT_EQ(entries.front()->index, handed_.next());
  handed_ = entries.back()->index;
  applies.emplace_back(std::move(entries));
}

void Member::read(std::uint64_t request, kv::Transaction) {
  reads.push_back({request, handed_});
  applies.emplace_back(Read{request, handed_});
}

void Member::finish(std::uint64_t request, RequestOutcome outcome) {
  EXPECT_TRUE(finished.emplace(request, std::move(outcome)).second)
      << "request " << request << " was finished twice";
}

bool Member::complete_log() {
  if (persists.empty() || log_hangs) return false;
  const base::Ordinal ordinal = persists.back().ordinal;
  for (auto& request : persists) persisted.push_back(std::move(request));
  persists.clear();
  replica_->persisted(ordinal);
  return true;
}

bool Member::complete_apply() {
  if (applies.empty() || apply_hangs) return false;
  auto work = std::move(applies.front());
  applies.pop_front();
  if (const auto* read = std::get_if<Read>(&work)) {
    kv::TransactionResult result;
    result.revision = position_.revision;
    replica_->read_done(read->request, result, position_);
    return true;
  }
  auto& entries = std::get<std::vector<raft::EntryPtr>>(work);
  std::vector<kv::Reply> replies(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    replies[i].session = base::SessionId(entries[i]->index.value);
    if (entries[i]->kind == raft::EntryKind::kCommand) {
      position_.revision = position_.revision.next();
    }
  }
  position_.applied = entries.back()->index;
  position_.term = entries.back()->term;
  position_.hash = entries.back()->hash;
  position_.time = entries.back()->time;
  replica_->applied(std::move(entries), std::move(replies), position_);
  return true;
}

Members::Members(std::size_t count, ReplicaOptions options) {
  raft::Configuration configuration;
  for (std::size_t i = 1; i <= count; ++i) {
    configuration.voters.push_back({base::MemberId(i), {}});
  }
  for (const auto& voter : configuration.voters) {
    members_.push_back(std::make_unique<Member>(voter.id, configuration, options));
    by_id_[voter.id] = members_.back().get();
  }
  for (auto& member : members_) {
    member->replica().advance(steady_ms, wall_ms);
    for (const auto& voter : configuration.voters) {
      if (by_id_[voter.id] != member.get()) member->replica().link_up(voter.id);
    }
  }
}

void Members::tick() {
  steady_ms += 10;
  wall_ms += 10;
  for (auto& member : members_) member->replica().advance(steady_ms, wall_ms, member->agreed);
  settle();
}

void Members::settle() {
  for (bool busy = true; busy;) {
    busy = deliver();
    for (auto& member : members_) {
      if (member->complete_log()) busy = true;
      if (member->complete_apply()) busy = true;
    }
  }
}

bool Members::deliver() {
  bool any = false;
  for (auto& member : members_) {
    std::deque<raft::Message> messages;
    messages.swap(member->sent);
    for (auto& message : messages) {
      any = true;
      if (!by_id_.contains(message.to)) continue;  // a member that was never started
      Member& to = *by_id_.at(message.to);
      if (isolated_[member.get()] || isolated_[&to]) continue;
      to.replica().receive(std::move(message));
    }
  }
  return any;
}

Member& Members::elect() {
  for (int i = 0; i < 500; ++i) {
    tick();
    for (auto& member : members_) {
      if (!isolated_[member.get()] && member->leads() && member->status().core.can_read) {
        return *member;
      }
    }
  }
  ADD_FAILURE() << "nobody was elected";
  std::abort();
}

void Members::isolate(Member& member, bool isolated) {
  isolated_[&member] = isolated;
}

Member& follower_of(Members& members, const Member& leader) {
  return members.at(0).leads() && &members.at(0) == &leader ? members.at(1) : members.at(0);
}

base::MemberId id_of(Member& member) {
  base::MemberId id;
  for (const raft::Member& voter : member.status().core.configuration.voters) {
    const auto& peers = member.status().core.peers;
    const bool other = std::any_of(peers.begin(), peers.end(), [&](const raft::PeerStatus& peer) {
      return peer.id == voter.id;
    });
    if (!other) id = voter.id;
  }
  return id;
}

base::Code code_of(const Member& member, std::uint64_t request) {
  return member.finished.at(request).status.code();
}

void put_into_quarantine(Members&, Member& leader, Member& follower) {
  raft::Message refusal;
  for (const raft::Member& voter : follower.status().core.configuration.voters) {
    const bool third = voter.id != leader.status().core.leader && voter.id != id_of(follower);
    if (third) refusal.from = voter.id, refusal.incarnation = voter.incarnation;
  }
  refusal.to = id_of(follower);
  refusal.opening = {9, 9};
  refusal.durable = refusal.recovered = {9, 1};
  refusal.to_opening = {1, id_of(follower).value};
  refusal.body = raft::Refusal{raft::RefusalReason::kRolledBack, {0, UINT64_MAX}};
  follower.replica().receive(refusal);
  CHECK(follower.status().core.quarantined);
}

}  // namespace server::testing
