#include "client/ctl/lease.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "client/ctl/commands.h"
#include "client/ctl/escape.h"
#include "client/ctl/print.h"
#include "client/ctl/session.h"
#include "client/ctl/signals.h"
#include "client/leases.h"

namespace client::ctl {
namespace {

using base::LeaseId;
using nlohmann::ordered_json;

std::string seconds(std::uint64_t ms) {
  std::string text = std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    std::string rest = std::to_string(1000 + ms % 1000).substr(1);
    text += "." + rest.substr(0, rest.find_last_not_of('0') + 1);
  }
  return text + "s";
}

std::string name_of(LeaseId lease) {
  return base::to_hex(lease.value);
}

int say(const Arguments& arguments, ordered_json json, const std::string& text) {
  return print(stdout, arguments.global.format == Format::kJson ? json.dump() + "\n" : text + "\n",
               kExitOk);
}

int grant(const Arguments& arguments, Session& session) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::GrantOperation{arguments.lease.id, arguments.lease.ttl_ms, false});
  const Outcome outcome = session.write(std::move(transaction));
  if (!outcome.status.is_ok()) return fail("lease grant", outcome, arguments.global.format);
  const auto* result = outcome.result.results.size() == 1
                           ? std::get_if<kv::GrantResult>(&outcome.result.results.front())
                           : nullptr;
  const LeaseId lease = result == nullptr ? LeaseId() : result->lease;
  const std::uint64_t ttl_ms = arguments.lease.ttl_ms;
  return say(arguments, {{"id", name_of(lease)}, {"ttl_ms", ttl_ms}},
             "lease " + name_of(lease) + " granted with TTL(" + seconds(ttl_ms) + ")");
}

int revoke(const Arguments& arguments, Session& session) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::RevokeOperation{arguments.lease.id});
  const Outcome outcome = session.write(std::move(transaction));
  if (!outcome.status.is_ok()) return fail("lease revoke", outcome, arguments.global.format);
  return say(arguments, {{"id", name_of(arguments.lease.id)}},
             "lease " + name_of(arguments.lease.id) + " revoked");
}

/// The leases that there are, page by page.
base::Result<std::vector<kv::Lease>> listed(kv::LeasesOperation operation, Session& session) {
  std::vector<kv::Lease> leases;
  for (;;) {
    kv::Transaction transaction;
    transaction.then.push_back(operation);
    const Outcome outcome = session.read(std::move(transaction), Consistency::kLinearizable);
    if (!outcome.status.is_ok()) return outcome.status;
    const auto* page = outcome.result.results.size() == 1
                           ? std::get_if<kv::LeasesResult>(&outcome.result.results.front())
                           : nullptr;
    if (page == nullptr)
      return base::Status(base::Code::kProtocol, "the answer has another form than the request");
    leases.insert(leases.end(), page->leases.begin(), page->leases.end());
    if (!page->more || page->leases.empty() || operation.lease) return leases;
    operation.after = leases.back().id;
  }
}

int list(const Arguments& arguments, Session& session) {
  const auto leases = listed({}, session);
  if (!leases.is_ok()) return fail("lease list", leases.status(), arguments.global.format);
  ordered_json json = {{"leases", ordered_json::array()}};
  std::string text = "found " + std::to_string(leases.value().size()) + " leases";
  for (const kv::Lease& lease : leases.value()) {
    json["leases"].push_back(
        {{"id", name_of(lease.id)}, {"ttl_ms", lease.ttl_ms}, {"keys", lease.attached}});
    text += "\n" + name_of(lease.id);
  }
  return say(arguments, std::move(json), text);
}

int time_to_live(const Arguments& arguments, Session& session) {
  const LeaseId id = arguments.lease.id;
  const Format format = arguments.global.format;
  const auto times = session.lease_times({id}, false);
  if (!times.is_ok()) return fail("lease timetolive", times.status(), format);
  const LeaseTime time = times.value().front();
  if (time.ttl_ms == 0)
    return fail("lease timetolive", {base::Code::kLeaseNotFound, "lease " + name_of(id)}, format);
  ordered_json json = {
      {"id", name_of(id)}, {"granted_ttl_ms", time.ttl_ms}, {"remaining_ms", time.left_ms}};
  std::string text = "lease " + name_of(id) + " granted with TTL(" + seconds(time.ttl_ms) +
                     "), remaining(" + seconds(time.left_ms) + ")";
  if (arguments.lease.keys) {
    const auto leases = listed({.lease = id, .keys = true}, session);
    if (!leases.is_ok()) return fail("lease timetolive", leases.status(), format);
    json["keys"] = ordered_json::array();
    text += ", attached keys([";
    for (const kv::Lease& lease : leases.value()) {
      for (const std::string& key : lease.keys) {
        text += (json["keys"].empty() ? "" : " ") + escape(key);
        json["keys"].push_back(base64(key));
      }
      if (lease.keys.size() < lease.attached)
        std::fprintf(stderr, "holdfast: lease timetolive: %zu of %llu keys\n", lease.keys.size(),
                     static_cast<unsigned long long>(lease.attached));
    }
    text += "])";
  }
  return say(arguments, std::move(json), text);
}

int renewed(const Arguments& arguments, std::uint64_t ttl_ms) {
  return say(
      arguments, {{"id", name_of(arguments.lease.id)}, {"ttl_ms", ttl_ms}},
      "lease " + name_of(arguments.lease.id) + " keepalived with TTL(" + seconds(ttl_ms) + ")");
}

int keep_alive(const Arguments& arguments, Session& session) {
  const LeaseId id = arguments.lease.id;
  const Format format = arguments.global.format;
  Signals signals(session.loop());
  std::uint64_t ttl_ms = 1000;
  std::uint64_t last_ms = boot_clock_ms();
  for (;;) {
    const std::uint64_t asked_ms = boot_clock_ms();
    const auto times = session.lease_times({id}, true);
    if (times.is_ok() && times.value().front().ttl_ms == 0)
      return fail("lease keep-alive", {base::Code::kLeaseNotFound, "lease " + name_of(id)}, format);
    if (times.is_ok()) {
      ttl_ms = times.value().front().ttl_ms;
      last_ms = asked_ms;
      const int code = renewed(arguments, ttl_ms);
      if (code != kExitOk || arguments.lease.once) return code;
    } else if (arguments.lease.once || boot_clock_ms() - last_ms > ttl_ms) {
      return fail("lease keep-alive", times.status(), format);
    } else {
      (void)fail("lease keep-alive", times.status(), format);
    }
    session.sleep_ms(static_cast<std::uint32_t>(std::min<std::uint64_t>(ttl_ms / 3, 60'000)));
    if (signals.caught() != 0) return kExitOk;
  }
}

}  // namespace

int run_lease(const Arguments& arguments) {
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("lease", session.status(), arguments.global.format);
  switch (arguments.lease.action) {
    case LeaseArguments::Action::kGrant:
      return grant(arguments, *session.value());
    case LeaseArguments::Action::kRevoke:
      return revoke(arguments, *session.value());
    case LeaseArguments::Action::kTimeToLive:
      return time_to_live(arguments, *session.value());
    case LeaseArguments::Action::kList:
      return list(arguments, *session.value());
    case LeaseArguments::Action::kKeepAlive:
      return keep_alive(arguments, *session.value());
  }
  return kExitFailure;
}

}  // namespace client::ctl
