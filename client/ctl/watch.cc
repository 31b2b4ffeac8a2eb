#include "client/ctl/watch.h"

#include <csignal>
#include <cstdio>

#include "client/ctl/child.h"
#include "client/ctl/commands.h"
#include "client/ctl/print.h"
#include "client/ctl/signals.h"
#include "client/watch.h"
#include "net/loop.h"

namespace client::ctl {
namespace {

/// Runs the command of --exec for one change and waits for it. Returns whether it can go on.
bool run_command(const std::vector<std::string>& command, const WatchEvent& event) {
  const kv::KeyValue& item = event.event.item;
  Child child;
  const base::Status started =
      child.start(command, {{"HOLDFAST_WATCH_REVISION", std::to_string(item.modify_revision.value)},
                            {"HOLDFAST_WATCH_EVENT", event.event.deleted ? "DELETE" : "PUT"},
                            {"HOLDFAST_WATCH_KEY", item.key},
                            {"HOLDFAST_WATCH_VALUE", item.value}});
  if (!started.is_ok()) {
    std::fprintf(stderr, "holdfast: watch: %s\n", started.to_string().c_str());
    return false;
  }
  (void)child.wait();
  return true;
}

}  // namespace

int run_watch(const Arguments& arguments) {
  const WatchArguments& how = arguments.watch;
  const Format format = arguments.global.format;
  net::Loop loop;
  Signals signals(loop);
  Watcher watcher(loop, arguments.global.client, [](const base::Status& why) {
    std::fprintf(stderr, "holdfast: watch: goes on elsewhere: %s\n", why.to_string().c_str());
  });
  int exit_code = kExitOk;
  const auto end = [&](int code) {
    exit_code = code;
    loop.stop();
  };
  const auto on_batch = [&](WatchBatch&& batch) -> kj::Promise<void> {
    if (batch.events.empty() && !how.progress) return kj::READY_NOW;
    if (format == Format::kJson && arguments.command.empty()) {
      if (print(stdout, json_of_watch(batch), kExitOk) != kExitOk) end(kExitFailure);
      return kj::READY_NOW;
    }
    if (batch.events.empty())
      std::fprintf(stderr, "progress notify: %llu\n",
                   static_cast<unsigned long long>(batch.revision.value));
    for (const WatchEvent& event : batch.events) {
      if (!arguments.command.empty()) {
        if (!run_command(arguments.command, event)) end(kExitFailure);
      } else if (print(stdout, simple_watch(event, arguments.global.hex), kExitOk) != kExitOk) {
        end(kExitFailure);
      }
    }
    return kj::READY_NOW;
  };
  const auto on_end = [&](const base::Status& why, base::Revision resume) {
    end(fail("watch", why, format));
    if (resume && format == Format::kSimple)
      std::fprintf(stderr, "It can go on with --rev %llu; what came before is gone.\n",
                   static_cast<unsigned long long>(resume.value));
  };
  WatchOptions options;
  options.range = range_of(how.key, how.end, how.prefix, how.from_key);
  options.from = base::Revision(how.revision);
  options.previous = how.previous;
  options.no_puts = how.filter == "put";
  options.no_deletes = how.filter == "delete";
  watcher.watch(std::move(options), on_batch, on_end);
  loop.run();
  return signals.caught() == 0 || exit_code != kExitOk ? exit_code : 128 + signals.caught();
}

}  // namespace client::ctl
