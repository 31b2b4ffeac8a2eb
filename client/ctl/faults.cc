#include "client/ctl/faults.h"

#include <memory>

#include "client/client.h"
#include "client/ctl/commands.h"
#include "client/ctl/print.h"

namespace client::ctl {
namespace {

using Faults = base::Result<std::vector<Fault>>;

std::string state_of(const Fault& fault) {
  if (!fault.on) return "off";
  if (fault.left_ms == 0) return "on";
  return "on, " + std::to_string((fault.left_ms + 999) / 1000) + "s left";
}

std::string table_of(const std::vector<Fault>& faults) {
  std::vector<std::vector<std::string>> rows = {{"FAULT", "STATE", "STRENGTH", "HITS", "WHAT"}};
  for (const Fault& fault : faults) {
    rows.push_back({fault.name, state_of(fault), fault.parameter.empty() ? "-" : fault.parameter,
                    std::to_string(fault.hits), fault.what});
  }
  return table(rows);
}

}  // namespace

nlohmann::ordered_json json_of(const std::vector<Fault>& faults) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Fault& fault : faults) {
    json.push_back({{"name", fault.name},
                    {"on", fault.on},
                    {"hits", fault.hits},
                    {"parameter", fault.parameter},
                    {"left_ms", fault.left_ms},
                    {"what", fault.what}});
  }
  return json;
}

Faults change_faults(const std::string& endpoint, const FaultChange& change,
                     std::uint32_t timeout_ms) {
  constexpr std::uint32_t kMoreMs = 1000;  // it answers by itself before
  net::Loop loop;
  auto faults = std::make_shared<Faults>(base::Status(base::Code::kUnavailable, "no answer"));
  (void)loop.wait(fault(loop, endpoint, change, timeout_ms).then([faults](Faults&& answer) {
    *faults = std::move(answer);
  }),
                  timeout_ms + kMoreMs);
  return *faults;
}

int run_fault(const Arguments& arguments) {
  const Global& global = arguments.global;
  if (global.client.endpoints.size() != 1) {
    return print(stderr,
                 "holdfast: fault: name the one member that is meant with --endpoints HOST:PORT\n",
                 kExitUsage);
  }
  const Faults faults =
      change_faults(global.client.endpoints.front(), arguments.fault, global.client.timeout_ms);
  if (!faults.is_ok()) return fail("fault", faults.status(), global.format);
  const bool json = global.format == Format::kJson;
  return print(stdout, json ? json_of(faults.value()).dump() + "\n" : table_of(faults.value()),
               kExitOk);
}

}  // namespace client::ctl
