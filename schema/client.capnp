@0xec4791408411c93e;
# What clients say to a member. Stock level-1 two-party RPC: any Cap'n Proto client can speak it.
# Statuses are in results; exceptions mean bugs. Only append.
using Cxx = import "/capnp/c++.capnp";
using Model = import "data.capnp";
$Cxx.namespace("schema");

interface Holdfast {
  # The bootstrap capability of the client port.

  submit @0 (deadlineMs :UInt32, calls :List(Call), seen :Seen) -> (outcomes :List(Outcome));
  # At most 1,024 calls at once; one outcome a call, in their order. Calls run concurrently.
  # deadlineMs 0: the server's default (5 s). What is not done by then answers `timeout`.
  # `seen`: what a history that does not go on from there refuses, as `other-history`.

  status @1 () -> (status :MemberStatus);
  # Local: needs no quorum and no disk.

  fault @2 (name :Text, on :Bool, parameters :List(FaultParameter), forMs :UInt64, clear :Bool) -> (code :UInt16, detail :Text, faults :List(Fault));
  # Switches an injected fault on, for so long (0: until it is cleared), or off. `clear` with an
  # empty name ends all; an empty name alone only lists. Needs --allow-faults.

  snapshot @3 () -> (code :UInt16, detail :Text, header :Header, snapshot :Snapshot);
  # Freezes this member's state as it stands; after a linearizable read at this member it holds all
  # that was acknowledged before. At most four at once; one that nobody reads for a minute goes.

  health @4 () -> (json :Text);
  # Local: needs no quorum and no disk. What /health?verbose says, as JSON: checks, verdicts, what
  # every member sees of every other, and what was decided in the last hour, and why.

  traces @5 () -> (json :Text);
  # Local. The newest calls that were slow or failed here, and where each waited
  # (server/request_traces.h).

  leases @6 (ids :List(UInt64), renew :Bool, deadlineMs :UInt32)
      -> (code :UInt16, detail :Text, header :Header, leader :UInt64, leaderAddress :Text, leases :List(LeaseTime));
  # How long these leases (at most 1,000) have left, once renewed if that is asked for. Only the
  # leader knows. Has a lane of its own: it is not refused because calls are.

  watch @7 (receiver :WatchReceiver) -> (code :UInt16, detail :Text, stream :WatchStream);
  # Watches that share one flow: a batch is sent once the receiver has taken the one before.

  events @8 (watch :WatchRequest, waitMs :UInt32) -> (header :Header, batch :WatchBatch);
  # One batch of a watch: for clients that can not be called. Without events after waitMs.
}

struct LeaseTime {
  id @0 :UInt64;
  ttlMs @1 :UInt64;   # as granted; 0: there is no such lease
  leftMs @2 :UInt64;  # from when this was answered
}

struct WatchRequest {
  range @0 :Model.KeyRange;
  from @1 :UInt64;        # the first revision wanted; 0: from the next one on
  previous @2 :Bool;      # with what was there before, where it is still kept
  noPuts @3 :Bool;
  noDeletes @4 :Bool;
  generation @5 :UInt64;  # that `from` was learnt in; 0: not said
}
struct WatchEvent {
  event @0 :Model.Event;
  hasPrevious @1 :Bool;
  previous @2 :Model.KeyValue;
}
struct WatchBatch {
  # All that there is of the revisions above `previous`, up to `revision`, whole revisions only.
  watch @0 :UInt64;
  previous @1 :UInt64;
  revision @2 :UInt64;
  events @3 :List(WatchEvent);
  code @4 :UInt16;    # not ok: the watch has ended
  detail @5 :Text;
  resume @6 :UInt64;  # of an ended watch: where it can go on; 0: nowhere
}
interface WatchStream {
  # Its watches go with the capability.
  add @0 (watch :UInt64, request :WatchRequest) -> (code :UInt16, detail :Text, revision :UInt64, resume :UInt64);
  # `watch`: an id of the client's choice. `revision`: what its first batch names as previous.
  # `resume`: of one that is refused since its history is gone: from where on there is any.
  cancel @1 (watch :UInt64) -> ();
}
interface WatchReceiver {
  take @0 (header :Header, batches :List(WatchBatch)) -> ();
  # One at a time. Without batches for any watch at least once a second.
}

interface Snapshot {
  # A snapshot file (storage/snapshot_file.h) that is being read. Goes with the capability.
  read @0 () -> (code :UInt16, detail :Text, data :Data, checksum :UInt64, done :Bool);
  # The bytes that follow, about a MiB; `checksum` is their XXH3-64. One call at a time.
}

struct Call {
  trace @6 :UInt64;  # chosen by the client, the same for all attempts, to be found again; 0: none
  union {
    openSession @0 :Void;
    closeSession @1 :UInt64;
    write @2 :Write;
    read @3 :Read;
    members @4 :MemberChange;
    moveLeader @5 :Text;  # the voter that is to lead: its name, or its id in 16 hex digits
  }
}
struct MemberChange {
  kind @0 :UInt8;  # 0 list, 1 add, 2 promote, 3 remove, 4 replace, 5 update (server/membership.h)
  name @1 :Text;
  peerAddress @2 :Text;    # HOST:PORT; empty: as it is
  clientAddress @3 :Text;  # likewise
  learner @4 :Bool;        # add: it stays a learner
}
struct Member {
  id @0 :UInt64;
  incarnation @1 :UInt64;  # 0: not heard from yet
  name @2 :Text;
  peerAddress @3 :Text;
  clientAddress @4 :Text;
  voter @5 :Bool;
  outgoing @6 :Bool;       # votes until the change under way is done
  promote @7 :Bool;        # a learner that becomes a voter once it has caught up
}
struct Write {
  # Happens once for each (session, sequence), however often it is sent.
  session @0 :UInt64;
  sequence @1 :UInt64;           # from 1
  acknowledgedBelow @2 :UInt64;  # outcomes below are not needed any more
  transaction @3 :Model.Transaction;
  seal @4 :Bool;  # with an empty transaction: what became of it? If nothing did, nothing ever will
}
struct Read {
  transaction @0 :Model.Transaction;  # must not write
  serializable @1 :Bool;             # false: linearizable. true: this member's state as it stands
  maxStalenessMs @2 :UInt32;         # of a serializable one; older state: linearizable. 0: no bound
}

struct Header {
  cluster @0 :UInt64;
  generation @1 :UInt64;
  member @2 :UInt64;
  revision @3 :UInt64;
  term @4 :UInt64;
  time @5 :UInt64;
  applied @6 :UInt64;
  hash @7 :UInt64;
}

struct Seen {
  # The newest that a client has seen, of the headers of all answers; applied 0: nothing.
  generation @0 :UInt64;
  applied @1 :UInt64;
  hash @2 :UInt64;
  time @3 :UInt64;
}

struct Outcome {
  code @0 :UInt16;  # base::Code
  detail @1 :Text;
  header @2 :Header;
  leader @3 :UInt64;       # hint: member id, 0 unknown
  session @4 :UInt64;      # openSession
  result @5 :Model.TransactionResult;
  repeated @6 :Bool;
  leaderAddress @7 :Text;  # hint: the leader's client address, empty if unknown
  members @8 :List(Member);  # members: the configuration in force
}

struct FaultParameter {
  name @0 :Text;   # such as delay
  value @1 :Text;  # such as 100ms
}

struct Fault {
  name @0 :Text;
  on @1 :Bool;
  hits @2 :UInt64;      # how many real calls it has caught
  parameter @3 :Text;   # its strength, such as delay=100ms; empty if it has none
  leftMs @4 :UInt64;    # until it ends by itself; 0 if it is off or ends only when cleared
  what @5 :Text;        # what it does
}

struct PeerStatus {
  member @0 :UInt64;
  name @1 :Text;
  linkUp @2 :Bool;
  match @3 :UInt64;
  silentMs @4 :UInt64;
  stalled @5 :Bool;
  quarantined @6 :Bool;
  clientAddress @7 :Text;
}

struct MemberStatus {
  header @0 :Header;
  name @1 :Text;
  role @2 :Text;             # follower, pre-candidate, candidate, leader, stuck (server/readiness.h)
  leader @3 :UInt64;
  leaderName @4 :Text;
  first @5 :UInt64;
  last @6 :UInt64;
  durable @7 :UInt64;
  commit @8 :UInt64;
  stalled @9 :Bool;
  quarantined @10 :Bool;
  reason @11 :Text;          # why it is stalled, quarantined, draining or not ready; empty if well
  stepDownReason @12 :Text;  # why this member last gave leadership up
  leaderChanges @13 :UInt64;
  logSyncs @14 :UInt64;      # since the process started
  logBytes @15 :UInt64;
  sessions @16 :UInt64;
  digest @17 :UInt64;
  version @18 :Text;
  peers @19 :List(PeerStatus);
  ready @20 :Bool;
  faults @21 :List(Fault);
  httpAddress @22 :Text;
  appliedEntries @23 :UInt64;
  unreadyForMs @24 :UInt64;  # for how long it has not been ready; 0 if it is
  compacted @25 :UInt64;      # the oldest revision that can be read
  keepRevisions @26 :UInt64;  # what is kept without being asked; 0: no bound
  keepAgeMs @27 :UInt64;
}
