#include "jepsen/generate_command.h"

#include <cstdio>
#include <deque>
#include <vector>

#include "base/random.h"
#include "jepsen/history/event.h"
#include "jepsen/history/json_lines.h"

namespace jepsen {
namespace {

/// Registers that calls act on at a random moment between their begin and their end; some reads
/// lie.
class Generator {
 public:
  explicit Generator(const GenerateArguments& how)
      : how_(how), random_(how.seed), clients_(how.clients), registers_(how.keys) {
    for (std::uint32_t i = 0; i < how.clients; ++i) clients_[i].process = i;
    lie_every_ = how.lies == 0 ? 0 : how.operations / (2 * (how.lies + 1));
  }

  bool run() {
    std::uint64_t begun = 0, busy = 0;
    while (begun < how_.operations || busy > 0) {
      Client& client = clients_[random_.below(clients_.size())];
      time_ns_ += 1000 + random_.below(20'000);
      if (client.under_way && client.done) {
        end(client);
        --busy;
      } else if (client.under_way) {
        act(client);
      } else if (begun < how_.operations) {
        begin(client);
        ++begun, ++busy;
      }
    }
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  }

 private:
  struct Client {
    std::int64_t process = 0;
    Event event;
    bool under_way = false, done = false, unknown = false;
    std::int64_t outdated = -1;  // what somebody had overwritten, and ended, before the call began
  };
  struct Register {
    std::int64_t value = -1;
    std::deque<std::int64_t> before;  // more than can have been overwritten by those under way
    std::uint64_t modified = 0;
  };

  std::int64_t new_value() {
    constexpr std::uint64_t kFew = 5;
    return how_.repeated_values ? static_cast<std::int64_t>(random_.below(kFew)) : ++value_;
  }
  void put(Event& event) {
    event.time_ns = time_ns_;
    std::fprintf(stdout, "%s\n", to_json(to_value(event, index_++)).c_str());
  }
  void begin(Client& client) {
    Event event;
    event.process = client.process;
    event.type = Type::kInvoke;
    const auto key = static_cast<std::int64_t>(random_.below(how_.keys));
    const std::uint64_t kind = random_.below(10);
    event.f = kind < 5 ? "read" : kind < 8 ? "write" : "cas";
    Value of = Value::nil();
    if (event.f == "write") of = Value::of(new_value());
    if (event.f == "cas")
      of = Value::list(
          {Value::of(registers_[static_cast<std::size_t>(key)].value), Value::of(new_value())});
    event.value = Value::list({Value::of(key), of});
    client.unknown = event.f != "read" && random_.below(1000) < how_.unknown_permille;
    client.under_way = true;
    client.done = false;
    const auto& before = registers_[static_cast<std::size_t>(key)].before;
    client.outdated = before.size() > 2 * clients_.size() ? before.front() : -1;
    put(event);
    client.event = event;
  }
  void act(Client& client) {
    Event& event = client.event;
    Register& one = registers_[static_cast<std::size_t>(event.value.items[0].number)];
    Value& of = event.value.items[1];
    client.done = true;
    event.type = Type::kOk;
    if (client.unknown && random_.chance(2)) return;
    event.more = Value::map();
    event.more.set("at", Value::list({Value::of(static_cast<std::int64_t>(one.modified))}));
    if (event.f == "read") {
      of = Value::of(one.value);
      const bool due = lies_ < how_.lies && ++reads_ > (lies_ + 1) * lie_every_;
      if (due && client.outdated >= 0 && client.outdated != one.value) {
        ++lies_;
        of = Value::of(client.outdated);
      }
    } else if (event.f == "cas" && of.items[0].number != one.value) {
      event.type = Type::kFail;
      event.more.set("observed", Value::of(one.value));
    } else {
      one.before.push_back(one.value);
      if (one.before.size() > 2 * clients_.size() + 1) one.before.pop_front();
      one.value = event.f == "cas" ? of.items[1].number : of.number;
      one.modified = ++revision_;
    }
    event.revision = revision_;
  }
  void end(Client& client) {
    client.under_way = false;
    if (client.unknown) {
      client.event.type = Type::kInfo;
      client.event.revision = 0;
      client.event.more = Value::nil();
    }
    put(client.event);
    if (client.unknown) client.process += how_.clients;
  }

  const GenerateArguments& how_;
  base::Random random_;
  std::vector<Client> clients_;
  std::vector<Register> registers_;
  std::int64_t value_ = 0;
  std::uint64_t time_ns_ = 0, index_ = 0, revision_ = 0, reads_ = 0, lies_ = 0, lie_every_ = 0;
};

}  // namespace

int run_generate(const GenerateArguments& arguments) {
  return Generator(arguments).run() ? 0 : 1;
}

}  // namespace jepsen
