@0x88e45f8c4942ac88;
# What members say to each other (raft/message.h). Only append.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("schema");

interface Peer {
  # One message between members. The answer carries nothing: replies are messages of their own.
  deliver @0 (envelope :Envelope) -> ();

  observe @1 (cluster :UInt64, from :UInt64, to :UInt64, checksum :UInt64, rows :Data) -> ();
  # What the sender sees of the others, an ObserverRows as one flat message; `checksum` is the XXH3-64
  # of its bytes. Advice for the detectors: no vote and no commit rests on it.
}

struct Opening {
  epoch @0 :UInt64;
  nonce @1 :UInt64;
}
struct Ordinal {
  epoch @0 :UInt64;
  counter @1 :UInt64;
}

struct Envelope {
  cluster @0 :UInt64;
  from @1 :UInt64;
  to @2 :UInt64;
  incarnation @3 :UInt64;
  opening @4 :Opening;
  toOpening @5 :Opening;
  durable @6 :Ordinal;
  recovered @7 :Ordinal;
  lane @8 :UInt8;
  term @9 :UInt64;
  checksum @10 :UInt64;  # XXH3-64 over the fields above and the body's bytes, see net/peer/codec
  body @11 :Data;        # a Body as one flat message, so that the checksum covers plain bytes
  generation @12 :UInt64;  # of what the sender holds, plus one; 0: it holds nothing yet
}

struct Entry {
  term @0 :UInt64;
  index @1 :UInt64;
  kind @2 :UInt8;
  time @3 :UInt64;
  hash @4 :UInt64;
  payload @5 :Data;
}

struct ProgressReport {
  last @0 :UInt64;
  durable @1 :UInt64;
  commit @2 :UInt64;
  applied @3 :UInt64;
  logPendingTicks @4 :UInt32;
  applyPendingTicks @5 :UInt32;
  stalled @6 :Bool;
  quarantined @7 :Bool;
  needsSnapshot @8 :Bool;
  slow @9 :Bool;
}
struct RoundToken {
  term @0 :UInt64;
  epoch @1 :UInt64;
  counter @2 :UInt64;
}

struct Body {
  union {
    requestVote @0 :RequestVote;
    requestVoteReply @1 :RequestVoteReply;
    appendEntries @2 :AppendEntries;
    appendEntriesReply @3 :AppendEntriesReply;
    heartbeat @4 :Heartbeat;
    heartbeatReply @5 :HeartbeatReply;
    timeoutNow @6 :Void;
    refusal @7 :Refusal;
    installSnapshot @8 :InstallSnapshot;
    installSnapshotReply @9 :InstallSnapshotReply;
    pull @10 :Pull;
    pullReply @11 :PullReply;
    readIndex @12 :ReadIndex;
    readIndexReply @13 :ReadIndexReply;
    wantTime @14 :UInt64;  # a hybrid time
  }
}
struct RequestVote {
  preVote @0 :Bool;
  transfer @1 :Bool;
  lastIndex @2 :UInt64;
  lastTerm @3 :UInt64;
  quarantined @4 :Bool;
}
struct RequestVoteReply {
  preVote @0 :Bool;
  granted @1 :Bool;
  lastIndex @2 :UInt64;  # where the voter's log ends: what a candidate that lost could pull
  lastTerm @3 :UInt64;
}
struct AppendEntries {
  previousIndex @0 :UInt64;
  previousTerm @1 :UInt64;
  previousHash @2 :UInt64;
  entries @3 :List(Entry);
  commit @4 :UInt64;
  cutFloor @5 :UInt64;
}
struct AppendEntriesReply {
  success @0 :Bool;
  match @1 :UInt64;
  hint @2 :UInt64;
  diverged @3 :Bool;
  progress @4 :ProgressReport;
  clock @5 :Bool;  # stamps are refused that the members' clocks do not explain
}
struct Heartbeat {
  commit @0 :UInt64;
  round @1 :RoundToken;
  cutFloor @2 :UInt64;
  progress @3 :ProgressReport;
}
struct HeartbeatReply {
  round @0 :RoundToken;
  supports @1 :Bool;
  progress @2 :ProgressReport;
}
struct Refusal {
  reason @0 :UInt8;
  remembered @1 :Ordinal;
}
struct SnapshotMeta {
  index @0 :UInt64;  # the last entry that the snapshot holds
  term @1 :UInt64;
  hash @2 :UInt64;
  time @3 :UInt64;
  configuration @4 :Data;  # in force at `index`
}
struct InstallSnapshot {
  snapshot @0 :SnapshotMeta;
  chunk @1 :UInt64;  # from 0
  data @2 :Data;
  done @3 :Bool;     # the last chunk
  transfer @4 :UInt64;  # counted by the sender's opening
}
struct InstallSnapshotReply {
  index @0 :UInt64;      # of the snapshot
  nextChunk @1 :UInt64;  # what the receiver waits for
  transfer @4 :UInt64;   # as sent
  installed @2 :Bool;    # it is in force: everything up to `index` is durable
  progress @3 :ProgressReport;
}
struct Pull {
  previousIndex @0 :UInt64;  # what follows this entry is asked for
  previousTerm @1 :UInt64;
  previousHash @2 :UInt64;
}
struct PullReply {
  agrees @0 :Bool;           # false: the entry asked about is not in this log; try `hint`
  previousIndex @1 :UInt64;
  hint @2 :UInt64;
  entries @3 :List(Entry);
  lastIndex @4 :UInt64;
  lastTerm @5 :UInt64;
}
struct ReadIndex {
  id @0 :UInt64;
}
struct ReadIndexReply {
  id @0 :UInt64;
  code @1 :UInt16;   # base::Code
  index @2 :UInt64;
}

struct ObserverRows {
  rows @0 :List(ObserverRow);  # the sender's own first, then what it has heard from others lately
}
struct ObserverRow {
  # What one member sees of itself and of the others (health/matrix.h).
  observer @0 :UInt64;
  epoch @1 :UInt64;     # of the observer's opening
  sequence @2 :UInt64;  # grows within an epoch
  ageMs @3 :UInt32;     # of the row when it was sent on
  sentUs @4 :UInt64;    # the observer's own clock, for `echoUs`; never compared with another's
  speed @5 :UInt8;      # health::SpeedClass
  score @6 :UInt8;
  syncUs @7 :UInt32;    # the median of its log's syncs of late; 0: it knows none
  stalled @8 :Bool;
  starved @9 :Bool;     # its loop was late itself: what it says of others counts for nothing
  leads @10 :Bool;
  reason @11 :Text;     # why it is stalled or unfit
  movesMs @12 :List(UInt32);  # ages of the hand-overs that it made because it was slow
  peers @13 :List(ObservedPeer);
  full @14 :Bool;       # its disk has less room than the reserve
  wallUs @15 :UInt64;   # its wall clock with `sentUs`; in the sender's own row only
  clock @16 :UInt8;     # health::ClockState
  clockForMs @17 :UInt32; # it has been so
  clockOffMs @18 :Int64;  # by how much its clock is ahead of the agreed time
  scrubIndex @19 :UInt64; # the entry after which its state has the digests of `scrub`
  scrub @20 :List(UInt64);
  unserved @21 :Text;   # why its calls at its own client port fail; empty: they do not
}
struct ObservedPeer {
  member @0 :UInt64;
  silentMs @1 :UInt32;
  phiTenths @2 :UInt16;
  roundTripUs @3 :UInt32;   # 0: none is known
  appendAgeMs @4 :UInt32;   # a leader's: since when it lacks entries and acknowledges nothing
  echoUs @5 :UInt64;        # sentUs of its last row; 0: none
  heldUs @6 :UInt32;        # how long ago that was
}
