// Arguments of what coordinates: watches, leases, locks, fences.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "kv/types.h"

namespace CLI {
class App;
}

namespace client::ctl {

struct Arguments;

struct LeaseArguments {
  enum class Action : std::uint8_t { kGrant, kRevoke, kTimeToLive, kList, kKeepAlive };
  Action action = Action::kList;
  std::string ttl_text, id_text;
  std::uint64_t ttl_ms = 0;
  base::LeaseId id;
  bool keys = false;  // kTimeToLive
  bool once = false;  // kKeepAlive
};

struct WatchArguments {
  std::string key, end;
  bool prefix = false, from_key = false;
  std::uint64_t revision = 0;  // 0: from now on
  bool previous = false, progress = false;
  std::string filter;  // "put" or "delete" are left out
};

/// `lock` and `elect`.
struct LockArguments {
  std::string name, value;
  std::string ttl_text = "10s";
  std::uint64_t ttl_ms = 0;
  std::string check;  // a shell command
  bool listen = false;
};

struct GuardArguments {
  enum class Action : std::uint8_t { kWrite, kRun, kProxy, kShow };
  Action action = Action::kShow;
  std::string mark, file, listen, to;
  std::uint64_t token = 0;
};

/// Of put, del and txn.
struct WriteArguments {
  std::string lease_text;
  base::LeaseId lease;  // put
  std::vector<std::string> fence_texts;
  std::vector<kv::Fence> fences;
};

void add_lease_verbs(CLI::App& app, Arguments& to);
void add_watch_verb(CLI::App& app, Arguments& to);
void add_lock_verbs(CLI::App& app, Arguments& to);
void add_guard_verbs(CLI::App& app, Arguments& to);
/// --fence NAME:TOKEN.
void add_fence_flag(CLI::App& app, Arguments& to);
/// Texts to values. Errors: kInvalidArgument, naming what is wrong.
base::Status convert_coordination(Arguments& to);

/// 16 hex digits, or fewer. Errors: kInvalidArgument.
base::Result<base::LeaseId> parse_lease(const std::string& text);
/// As etcd's: a bare number is in seconds.
base::Result<std::uint64_t> parse_ttl_ms(const std::string& text);

}  // namespace client::ctl
