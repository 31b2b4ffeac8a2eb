// The command line of `holdfast`: flags over environment over defaults; what is not understood is
// an error with exit code 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/ctl/coordination_arguments.h"
#include "client/options.h"
#include "client/outcome.h"

namespace client::ctl {

enum class Format : std::uint8_t { kSimple, kJson };

/// Exit codes that are not of a base::Code (DESIGN section 10).
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitUnavailable = 4;
inline constexpr int kExitUnknown = 5;

/// What every command understands.
struct Global {
  Options client;
  bool endpoints_given = false;  // by flag or environment
  Format format = Format::kSimple;
  bool hex = false;  // keys and values on the command line and in simple output carry \xNN escapes
};

struct PutArguments {
  std::string key;
  std::optional<std::string> value;  // nothing or "-": from stdin
};
struct GetArguments {
  std::string key, end;
  bool prefix = false, from_key = false, keys_only = false, count_only = false;
  std::uint64_t limit = 0;
  std::uint64_t revision = 0;  // 0: now
  std::uint64_t at_ms = 0;     // since 1970; 0: now
  Consistency consistency = Consistency::kLinearizable;
  std::uint32_t max_staleness_ms = 0;  // of a serializable read; 0: no bound
  bool is_range() const { return prefix || from_key || !end.empty(); }
};
struct HistoryArguments {
  std::string key;
  std::uint64_t limit = 0;
  std::uint64_t before = 0;  // a revision; 0: from the newest on
};
struct CompactArguments {
  std::uint64_t revision = 0;  // 0: no compaction now
  /// What is kept from here on; nullopt: as before.
  std::optional<kv::Retention> keep;
};
struct ResolveArguments {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
};
struct DelArguments {
  std::string key, end;
  bool prefix = false, from_key = false;
  bool is_range() const { return prefix || from_key || !end.empty(); }
};
struct BenchArguments {
  bool writes = true;
  std::uint32_t clients = 64;
  std::uint32_t duration_ms = 10000;
  std::size_t value_bytes = 256;
  std::uint64_t key_space = 1'000'000;
  std::uint64_t seed = 1;
  std::uint32_t rate = 0;  // calls a second; 0: as many as the clients can
};
struct PlaygroundArguments {
  enum class Action : std::uint8_t {
    kUp,
    kStatus,
    kEnv,
    kKill,
    kStop,
    kRestart,
    kPause,
    kResume,
    kHangDisk,
    kSlowDisk,
    kFailDisk,
    kCut,
    kIsolate,
    kPartition,
    kSlowLink,
    kLossy,
    kFillDisk,
    kSkewClock,
    kStall,
    kBlockLogs,
    kStarve,
    kFault,
    kHeal,
    kRun,
    kLogs,
    kDown
  };
  Action action = Action::kUp;
  std::string tag = "default";
  std::string delay;                // of a slow disk or link: "200ms"; empty: the fault's default
  std::string loss;                 // of a lossy link: "30%"; likewise
  std::string thread = "loop";      // that stands still: loop, log or apply
  std::string by = "5s";            // of a skewed clock; "-5s": it is behind
  std::uint32_t share_percent = 5;  // of the CPU time that a starved node gets
  std::string other;                // the other end of a link, as `node`
  std::string groups;               // "n1,n2/n3"
  bool one_way = false;             // only what `node` sends
  std::string node;   // "n1", "1", "leader", "follower", "all"; empty: all, where that is allowed
  std::string fault;  // one of `holdfast fault`, by its name
  std::vector<std::string> parameters;  // of it: "delay=200ms"
  std::string scenario;                 // a file
  std::uint32_t clients = 64;           // that write while a scenario runs
  std::uint32_t nodes = 0;              // 0: as the data has, else 3
  bool detach = false;
  std::string data;  // keep everything here
  bool keep = false;
  std::uint16_t port_base = 0;  // 0: free ports
  std::uint32_t wait_ms = 30000;
  bool follow = false;
  std::uint32_t lines = 0;  // of a log; 0: all
  std::vector<std::string> server_flags;
};

enum class Verb : std::uint8_t {
  kPut,
  kGet,
  kDel,
  kTxn,
  kResolve,
  kHistory,
  kCompact,
  kLease,
  kWatch,
  kLock,
  kElect,
  kGuard,
  kStatus,
  kHealth,
  kMatrix,
  kWhy,
  kTrace,
  kMember,
  kMoveLeader,
  kFault,
  kBench,
  kSnapshotSave,
  kOffline,
  kPlayground
};

struct MemberArguments {
  MemberChange change;
  bool wait = false;  // until the new member votes
};

struct TraceArguments {
  std::string trace;   // the first digits of its id; empty: all
  std::string chrome;  // a file for a trace viewer; "-": stdout; empty: none
};

struct SnapshotArguments {
  std::string file;
  Consistency consistency = Consistency::kLinearizable;
};

struct Arguments {
  Verb verb = Verb::kStatus;
  Global global;
  PutArguments put;
  GetArguments get;
  DelArguments del;
  HistoryArguments history;
  CompactArguments compact;
  ResolveArguments resolve;
  LeaseArguments lease;
  WatchArguments watch;
  LockArguments lock;
  GuardArguments guard;
  WriteArguments write;
  std::vector<std::string> command;  // behind `--`: of lock, watch and guard run
  MemberArguments member;
  std::string move_leader_to;
  FaultChange fault;
  std::string health_of;  // a member's name or number; empty: all
  BenchArguments bench;
  TraceArguments trace;
  SnapshotArguments snapshot;
  /// What holdfastd is to do with files and directories, in its words: kOffline.
  std::vector<std::string> offline;
  PlaygroundArguments playground;
};

/// Either arguments to run or a text to print and an exit code (help, version, usage errors).
struct Parsed {
  std::optional<Arguments> arguments;
  std::string text;
  int exit_code = kExitOk;
};

/// Reads HOLDFAST_ENDPOINTS, HOLDFAST_TIMEOUT, HOLDFAST_DIAL_TIMEOUT and HOLDFAST_WRITE_OUT where
/// the flag is missing.
Parsed parse_arguments(int argc, const char* const* argv);

}  // namespace client::ctl
