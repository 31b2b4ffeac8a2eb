// Linearizable reads without log entries (thesis section 6.4; DESIGN section 6, rule 7). Pure.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"

namespace raft {

/// Until an entry of its own term is committed, a leader does not know what is.
bool Core::Impl::can_read() const {
  return leader() != nullptr && commit_ >= leader()->first_index;
}

/// Ids that this member gave to other members' reads, apart from those of its owner.
constexpr std::uint64_t kRemote = std::uint64_t{1} << 63;

void Core::Impl::on(const ReadBarrier& barrier) {
  if (leader() != nullptr) {
    take_reads(barrier.ids);
  } else if (known_leader() && !failed_ && !quarantined_ && log_complete_) {
    forward_reads(barrier.ids);
  } else {
    const bool whole = log_complete_ && !quarantined_;
    for (const std::uint64_t id : barrier.ids) {
      answer_read(id, whole ? refusal_code() : base::Code::kUnavailable, Index());
    }
  }
}

void Core::Impl::take_reads(const std::vector<std::uint64_t>& ids) {
  leader()->reads.wait(ids);
  open_round();
}

/// A follower's own clients read what its leader names, once it has applied that.
void Core::Impl::forward_reads(const std::vector<std::uint64_t>& ids) {
  for (const std::uint64_t id : ids) {
    CHECK((id & kRemote) == 0, "the upper half of the ids is taken");
    forwarded_.emplace(id, 0);
    send(known_leader(), ReadIndexRequest{id});
  }
}

void Core::Impl::on_message(const Message& message, const ReadIndexRequest& body) {
  Leader* lead = leader();
  if (lead == nullptr || !peers_.contains(message.from)) {
    reply(message, ReadIndexReply{body.id, base::Code::kNotLeader, Index()});
    return;
  }
  const std::uint64_t id = kRemote | ++remote_read_counter_;
  RemoteRead& read = lead->remote_reads[id];
  read.request = message;
  read.id = body.id;
  take_reads({id});
}

void Core::Impl::on_message(const Message& message, const ReadIndexReply& body) {
  if (message.from != known_leader() || forwarded_.erase(body.id) == 0) return;
  const bool ok = body.code == base::Code::kOk;
  answer_read(body.id, ok ? base::Code::kOk : base::Code::kNoLeader, body.index);
}

void Core::Impl::on(const AskForTime& wanted) {
  if (!failed_ && leader() == nullptr && known_leader())
    send(known_leader(), WantTime{wanted.time});
}

void Core::Impl::on_message(const Message& message, const WantTime& body) {
  if (leader() == nullptr || !peers_.contains(message.from)) return;
  output_.wanted_time = std::max(output_.wanted_time, body.time);
}

/// Messages may be lost: after T somebody else must be asked, or the same one again.
void Core::Impl::tick_reads() {
  std::vector<std::uint64_t> late;
  for (auto& [id, ticks] : forwarded_) {
    if (++ticks >= options_.election_ticks) late.push_back(id);
  }
  for (const std::uint64_t id : late) {
    forwarded_.erase(id);
    answer_read(id, base::Code::kNoLeader, Index());
  }
}

void Core::Impl::fail_forwarded(base::Code code) {
  for (const auto& [id, ticks] : std::exchange(forwarded_, {})) answer_read(id, code, Index());
}

void Core::Impl::answer_read(std::uint64_t id, base::Code code, Index index) {
  if ((id & kRemote) == 0) {
    output_.reads.push_back({id, code, index});
    return;
  }
  auto found = leader()->remote_reads.extract(id);
  CHECK(!found.empty(), "each read is answered once");
  const RemoteRead& read = found.mapped();
  reply(read.request, ReadIndexReply{read.id, code, index});
}

/// Takes every waiting read into a new round whose first heartbeats leave now.
void Core::Impl::open_round() {
  Leader& lead = *leader();
  if (!can_read() || !lead.reads.should_open()) return;
  lead.reads.open(RoundToken{term(), options_.opening.epoch, ++round_counter_}, commit_);
  send_heartbeats();
  close_round();  // at once where this member alone is a quorum
}

void Core::Impl::close_round() {
  Leader& lead = *leader();
  const ReadIndex::Round* round = lead.reads.round();
  if (round == nullptr) return;
  const bool confirmed = configuration().decides([&](const Member& voter) {
    if (voter.id == options_.self) return !quarantined_;
    return round->confirmed.contains(voter.id) && peer_counts(voter.id);
  });
  if (!confirmed) return;
  const ReadIndex::Round closed = lead.reads.close();
  for (const std::uint64_t id : closed.ids) {
    answer_read(id, base::Code::kOk, closed.index);
  }
}

}  // namespace raft
