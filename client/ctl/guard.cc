#include "client/ctl/guard.h"

#include <cstdio>
#include <string>

#include "client/ctl/child.h"
#include "client/ctl/commands.h"
#include "client/ctl/signals.h"
#include "client/guard/mark.h"
#include "client/guard/proxy.h"

namespace client::ctl {
namespace {

int write(const Arguments& arguments, const guard::Mark& mark) {
  const GuardArguments& how = arguments.guard;
  std::string bytes;
  char buffer[64 * 1024];
  while (std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin)) bytes.append(buffer, got);
  if (std::ferror(stdin))
    return fail("guard", {base::Code::kIo, "stdin cannot be read"}, arguments.global.format);
  const base::Status status = guard::replace_file(mark, how.token, how.file, bytes);
  if (!status.is_ok()) return fail("guard", status, arguments.global.format);
  return print(stdout, "OK\n", kExitOk);
}

int run(const Arguments& arguments, const guard::Mark& mark) {
  const GuardArguments& how = arguments.guard;
  if (arguments.command.empty())
    return fail("guard", {base::Code::kInvalidArgument, "give a command after --"},
                arguments.global.format);
  const auto admitted = mark.admit(how.token);
  if (!admitted.is_ok()) return fail("guard", admitted.status(), arguments.global.format);
  Child child;
  const base::Status started =
      child.start(arguments.command, {{"HOLDFAST_LOCK_TOKEN", std::to_string(how.token)}});
  if (!started.is_ok()) return fail("guard", started, arguments.global.format);
  return child.wait();
}

int proxy(const Arguments& arguments, const guard::Mark& mark) {
  const auto listen = net::parse_address(arguments.guard.listen);
  const auto to = net::parse_address(arguments.guard.to);
  for (const auto* address : {&listen, &to}) {
    if (!address->is_ok()) return fail("guard", address->status(), arguments.global.format);
  }
  net::Loop loop;
  Signals signals(loop);
  auto proxy = guard::Proxy::listen(
      loop, listen.value(), to.value(), mark,
      [](const std::string& line) { std::fprintf(stderr, "holdfast: guard: %s\n", line.c_str()); });
  if (!proxy.is_ok()) return fail("guard", proxy.status(), arguments.global.format);
  std::fprintf(stderr, "holdfast: guard: %s:%u stands before %s\n", listen->host.c_str(),
               proxy.value()->port(), to->to_string().c_str());
  loop.run();
  return kExitOk;
}

int show(const Arguments& arguments, const guard::Mark& mark) {
  const auto token = mark.read();
  if (!token.is_ok()) return fail("guard", token.status(), arguments.global.format);
  return print(stdout, std::to_string(token.value()) + "\n", kExitOk);
}

}  // namespace

int run_guard(const Arguments& arguments) {
  const guard::Mark mark(arguments.guard.mark);
  switch (arguments.guard.action) {
    case GuardArguments::Action::kWrite:
      return write(arguments, mark);
    case GuardArguments::Action::kRun:
      return run(arguments, mark);
    case GuardArguments::Action::kProxy:
      return proxy(arguments, mark);
    case GuardArguments::Action::kShow:
      return show(arguments, mark);
  }
  return kExitFailure;
}

}  // namespace client::ctl
