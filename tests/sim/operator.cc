#include "tests/sim/operator.h"

namespace sim {
namespace {

std::string name_of(std::size_t node) {
  return base::to_hex(Node::id_of(node).value);
}

}  // namespace

bool Operator::nothing_changes() const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.node(i).configuration_index() > checks_.ledger().last()) return false;
  }
  return true;
}

std::optional<raft::Configuration> Operator::settled() const {
  const auto leader = cluster_.leader();
  if (!leader) return std::nullopt;
  if (!nothing_changes()) return std::nullopt;
  const raft::CoreStatus core = cluster_.node(*leader).status().core;
  const bool committed = core.configuration_index <= core.commit &&
                         core.configuration_index >= checks_.ledger().last_configuration();
  if (!committed || core.configuration.joint()) return std::nullopt;
  return core.configuration;
}

bool Operator::everybody_votes() const {
  const auto now = settled();
  if (!now || now->voters.size() != cluster_.size()) return false;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const raft::Member* member = now->find_voter(Node::id_of(i));
    if (member == nullptr) return false;
    if (member->incarnation && member->incarnation != cluster_.node(i).incarnation()) return false;
  }
  return true;
}

bool Operator::knows_every_directory() const {
  const auto now = settled();
  if (!now) return false;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const raft::Member* member = now->find(Node::id_of(i));
    if (member != nullptr && member->incarnation != cluster_.node(i).incarnation()) return false;
  }
  return true;
}

bool Operator::change_for(const raft::Configuration& now, std::size_t i,
                          server::MemberChange& change) const {
  const raft::Member* member = now.find(Node::id_of(i));
  change.name = name_of(i);
  if (member == nullptr) {
    change.kind = server::MemberChangeKind::kAdd;
    change.id = Node::id_of(i);
    change.peer_address = "simulated:1";
    return true;
  }
  change.kind = server::MemberChangeKind::kReplace;
  return member->incarnation && member->incarnation != cluster_.node(i).incarnation();
}

bool Operator::restore_members() {
  if (everybody_votes()) return true;
  const auto leader = cluster_.leader();
  if (!leader) return false;
  const raft::Configuration now = cluster_.node(*leader).status().core.configuration;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    server::MemberChange change;
    if (!change_for(now, i, change)) continue;
    cluster_.node(*leader).change_members(change);
    break;
  }
  return false;
}

void Operator::replace_members() {
  const auto leader = cluster_.leader();
  if (!leader) return;
  const raft::Configuration now = cluster_.node(*leader).status().core.configuration;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    server::MemberChange change;
    if (!change_for(now, i, change) || change.kind != server::MemberChangeKind::kReplace) continue;
    cluster_.node(*leader).change_members(change);
  }
}

void Operator::remove_member(base::Random& random) {
  const auto leader = cluster_.leader();
  if (!leader) return;
  const raft::Configuration now = cluster_.node(*leader).status().core.configuration;
  if (now.voters.size() < 3) return;
  server::MemberChange change;
  change.kind = server::MemberChangeKind::kRemove;
  change.name = base::to_hex(now.voters[random.below(now.voters.size())].id.value);
  cluster_.node(*leader).change_members(change);
}

void Operator::move_leader(base::Random& random) {
  const auto leader = cluster_.leader();
  if (leader) cluster_.node(*leader).move_leader(name_of(random.below(cluster_.size())));
}

}  // namespace sim
