#include "client/ctl/coordination_arguments.h"

#include <CLI/CLI.hpp>

#include "client/ctl/arguments.h"
#include "client/ctl/bad_argument.h"
#include "client/ctl/duration.h"

namespace client::ctl {
namespace {

base::Result<kv::Fence> parse_fence(const std::string& text) {
  const std::size_t at = text.rfind(':');
  kv::Fence fence;
  if (at != std::string::npos && at > 0 && at + 1 < text.size() &&
      text.find_first_not_of("0123456789", at + 1) == std::string::npos && text.size() - at <= 19) {
    fence.name = text.substr(0, at);
    fence.token = kv::Revision(std::stoull(text.substr(at + 1)));
  }
  if (!fence.token) return bad("--fence: \"" + text + "\" is not NAME:TOKEN, such as backup:1234");
  return fence;
}

}  // namespace

void add_lease_verbs(CLI::App& app, Arguments& to) {
  using Action = LeaseArguments::Action;
  auto* lease = app.add_subcommand("lease", "keys that go by themselves: grant, renew, revoke");
  lease->require_subcommand(1);
  lease->callback([&to] { to.verb = Verb::kLease; });
  const auto add = [&](const char* name, Action action, const char* text) {
    auto* sub = lease->add_subcommand(name, text);
    sub->callback([&to, action] { to.lease.action = action; });
    return sub;
  };
  const auto with_id = [&](const char* name, Action action, const char* text) {
    auto* sub = add(name, action, text);
    sub->add_option("ID", to.lease.id_text, "in hex digits, as `grant` printed it")->required();
    return sub;
  };
  auto* grant = add("grant", Action::kGrant, "a new lease; `put --lease` attaches keys to it");
  grant->add_option("TTL", to.lease.ttl_text, "how long it lives unrenewed: 60 (s), 60s, 500ms")
      ->required();
  grant->add_option("--id", to.lease.id_text, "in hex digits (default: one never used before)");
  with_id("revoke", Action::kRevoke, "end a lease and delete its keys");
  with_id("timetolive", Action::kTimeToLive, "how long a lease has left")
      ->add_flag("--keys", to.lease.keys, "and its keys");
  add("list", Action::kList, "all leases");
  with_id("keep-alive", Action::kKeepAlive, "renew a lease until it is lost or ctrl-C")
      ->add_flag("--once", to.lease.once, "renew it once");
}

void add_watch_verb(CLI::App& app, Arguments& to) {
  WatchArguments& w = to.watch;
  auto* watch = app.add_subcommand("watch", "print changes of a key or a range as they happen");
  watch->add_option("KEY", w.key, "the key, or the first key of a range")->required();
  watch->add_option("END", w.end, "the range ends before this key");
  watch->add_flag("--prefix", w.prefix, "all keys that begin with KEY");
  watch->add_flag("--from-key", w.from_key, "all keys from KEY on");
  watch->add_option("--rev", w.revision, "from this revision on (default: from now on)");
  watch->add_flag("--prev-kv", w.previous, "with what was there before");
  watch->add_flag("--progress-notify", w.progress, "also say up to where nothing has happened");
  watch->add_option("--filter", w.filter, "leave puts or deletes out: put, delete")
      ->check(CLI::IsMember({"put", "delete"}));
  watch->footer(
      "Goes on across changes of leader and restarts, and misses nothing; ends by ctrl-C.\n"
      "holdfast watch KEY -- CMD ARG… runs CMD for each change, which it finds in\n"
      "HOLDFAST_WATCH_REVISION, HOLDFAST_WATCH_EVENT, HOLDFAST_WATCH_KEY and "
      "HOLDFAST_WATCH_VALUE.");
  watch->callback([&to] { to.verb = Verb::kWatch; });
}

namespace {

void add_lock_options(CLI::App& app, LockArguments& lock) {
  app.add_option("--ttl", lock.ttl_text,
                 "how long others wait once the holder is not heard of (default 10s)");
  app.add_option("--check", lock.check,
                 "a shell command run before each renewal: if it fails, or hangs, the lock goes");
}

}  // namespace

void add_lock_verbs(CLI::App& app, Arguments& to) {
  auto* lock = app.add_subcommand("lock", "take a lock, run a command under it, give it back");
  lock->add_option("NAME", to.lock.name, "the lock: a key")->required();
  add_lock_options(*lock, to.lock);
  lock->footer(
      "holdfast lock NAME [-- CMD ARG…]; without CMD it holds the lock until ctrl-C.\n"
      "holdfast lock backup -- sh -c 'holdfast put done yes --fence backup:$HOLDFAST_LOCK_TOKEN'\n"
      "CMD finds HOLDFAST_LOCK_NAME, HOLDFAST_LOCK_TOKEN and HOLDFAST_LOCK_LEASE; its exit code "
      "is\n"
      "that of `lock`. If the lock is lost it gets SIGTERM, after two seconds SIGKILL (exit code "
      "1).");
  lock->callback([&to] { to.verb = Verb::kLock; });
  auto* elect = app.add_subcommand("elect", "lead an election, or watch who does");
  elect->add_option("NAME", to.lock.name, "the election: a key")->required();
  elect->add_option("VALUE", to.lock.value, "what the leader tells");
  elect->add_flag("-l,--listen", to.lock.listen, "print each leader's value, and campaign not");
  add_lock_options(*elect, to.lock);
  elect->callback([&to] { to.verb = Verb::kElect; });
}

void add_guard_verbs(CLI::App& app, Arguments& to) {
  using Action = GuardArguments::Action;
  GuardArguments& g = to.guard;
  auto* guard = app.add_subcommand("guard", "check lock tokens outside of the store");
  guard->require_subcommand(1);
  guard->callback([&to] { to.verb = Verb::kGuard; });
  const auto add = [&](const char* name, Action action, const char* text, bool token) {
    auto* sub = guard->add_subcommand(name, text);
    sub->add_option("--mark", g.mark, "the file that keeps the highest token seen")->required();
    if (token)
      sub->add_option("--token", g.token, "of the lock (default: HOLDFAST_LOCK_TOKEN)")
          ->envname("HOLDFAST_LOCK_TOKEN")
          ->required();
    sub->callback([&g, action] { g.action = action; });
    return sub;
  };
  add("write", Action::kWrite, "replace FILE by stdin, unless a higher token was seen", true)
      ->add_option("FILE", g.file, "as a whole, durably")
      ->required();
  add("run", Action::kRun, "run what follows --, unless a higher token was seen", true)
      ->footer("Nobody else is admitted while it runs.");
  auto* proxy = add("proxy", Action::kProxy,
                    "stand before a TCP service; clients say HOLDFAST-TOKEN NUMBER first", false);
  proxy->add_option("--listen", g.listen, "HOST:PORT for clients")->required();
  proxy->add_option("--to", g.to, "HOST:PORT of the service")->required();
  add("show", Action::kShow, "print the highest token seen", false);
}

void add_fence_flag(CLI::App& app, Arguments& to) {
  app.add_option("--fence", to.write.fence_texts,
                 "NAME:TOKEN; only while that lock is held with that token");
}

base::Result<base::LeaseId> parse_lease(const std::string& text) {
  std::uint64_t id = 0;
  if (!base::from_hex(text, &id) || id == 0)
    return bad("\"" + text + "\" is not a lease: up to 16 hex digits, as `lease grant` prints it");
  return base::LeaseId(id);
}

base::Result<std::uint64_t> parse_ttl_ms(const std::string& text) {
  const bool bare = text.find_first_not_of("0123456789") == std::string::npos;
  auto ttl = parse_age_ms(bare ? text + "s" : text);
  if (!ttl.is_ok()) return bad("the time to live: " + ttl.status().detail());
  return ttl;
}

base::Status convert_coordination(Arguments& to) {
  if (!to.lease.id_text.empty()) {
    auto id = parse_lease(to.lease.id_text);
    if (!id.is_ok()) return id.status();
    to.lease.id = id.value();
  }
  if (!to.lease.ttl_text.empty()) {
    auto ttl = parse_ttl_ms(to.lease.ttl_text);
    if (!ttl.is_ok()) return ttl.status();
    to.lease.ttl_ms = ttl.value();
  }
  if (to.verb == Verb::kLock || to.verb == Verb::kElect) {
    auto ttl = parse_ttl_ms(to.lock.ttl_text);
    if (!ttl.is_ok()) return bad("--ttl: " + ttl.status().detail());
    to.lock.ttl_ms = ttl.value();
    if (to.verb == Verb::kElect && !to.lock.listen && to.lock.value.empty())
      return bad("elect: give a VALUE, or --listen");
  }
  if (to.watch.prefix + to.watch.from_key + !to.watch.end.empty() > 1)
    return bad("END, --prefix and --from-key exclude each other");
  if (!to.write.lease_text.empty()) {
    auto lease = parse_lease(to.write.lease_text);
    if (!lease.is_ok()) return bad("--lease: " + lease.status().detail());
    to.write.lease = lease.value();
  }
  for (const std::string& text : to.write.fence_texts) {
    auto fence = parse_fence(text);
    if (!fence.is_ok()) return fence.status();
    to.write.fences.push_back(std::move(fence).value());
  }
  return {};
}

}  // namespace client::ctl
