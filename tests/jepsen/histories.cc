#include "tests/jepsen/histories.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "jepsen/history/edn.h"

namespace jepsen {

History history_of(const std::string& edn) {
  HistoryBuilder builder;
  EdnReader reader(edn);
  reader.enter();
  while (reader.more()) {
    auto value = reader.next();
    if (!value.is_ok()) {
      ADD_FAILURE() << value.status().to_string();
      return {};
    }
    auto event = to_event(std::move(value).value());
    if (!event.is_ok()) {
      ADD_FAILURE() << event.status().to_string();
      return {};
    }
    const base::Status status = builder.add(std::move(event).value());
    if (!status.is_ok()) ADD_FAILURE() << status.to_string();
  }
  return builder.take();
}

namespace {

/// A register for each key, and the processes that call.
class Generator {
 public:
  Generator(base::Random& random, const RandomOptions& options)
      : random_(random), options_(options), processes_(options.processes) {
    for (std::uint32_t i = 0; i < options.processes; ++i) processes_[i].number = i;
  }

  History run() {
    std::size_t begun = 0;
    while (begun < options_.operations || std::any_of(processes_.begin(), processes_.end(), busy)) {
      Process& process = processes_[random_.below(processes_.size())];
      if (!process.under_way) {
        if (begun == options_.operations) continue;
        ++begun;
        begin(process);
      } else if (!process.done) {
        take_effect(process);
      } else {
        end(process);
      }
    }
    return builder_.take();
  }

 private:
  struct Process {
    std::int64_t number = 0;
    Event event;
    bool under_way = false, done = false, unknown = false;
    std::uint64_t revision = 0;
  };
  struct Register {
    std::int64_t value = kAbsent;
    std::uint64_t modified = 0;
  };
  static bool busy(const Process& process) { return process.under_way; }

  void add(Event event) { ASSERT_TRUE(builder_.add(std::move(event)).is_ok()); }

  std::int64_t new_value() {
    if (options_.values == 0) return ++value_;
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(options_.values)));
  }
  void begin(Process& process) {
    const auto key = static_cast<std::int64_t>(random_.below(options_.keys));
    const std::uint64_t kind = random_.below(100);
    Event event;
    event.process = process.number;
    event.type = Type::kInvoke;
    Value of = Value::nil();
    if (kind < options_.cas_percent) {
      event.f = "cas";
      const std::int64_t expected = random_.chance(3) ? new_value() : registers_[key].value;
      of = Value::list({Value::of(expected), Value::of(new_value())});
    } else if (kind < options_.cas_percent + (100 - options_.cas_percent) / 2) {
      event.f = "write";
      of = Value::of(new_value());
    } else {
      event.f = "read";
    }
    event.value = Value::list({Value::of(key), of});
    process.event = event;
    process.under_way = true;
    process.done = false;
    process.unknown = event.f != "read" && random_.below(100) < options_.unknown_percent;
    add(event);
  }
  void take_effect(Process& process) {
    process.done = true;
    Event& event = process.event;
    const std::int64_t key = event.value.items[0].number;
    Register& one = registers_[key];
    Value& of = event.value.items[1];
    event.type = Type::kOk;
    if (process.unknown && random_.chance(2)) return;
    event.more = Value::map();
    if (options_.revisions)
      event.more.set("at", Value::list({Value::of(static_cast<std::int64_t>(one.modified))}));
    if (event.f == "read") {
      of = Value::of(one.value);
      if (lies_ < options_.lies && one.value > 1 && random_.chance(4)) {
        ++lies_;
        of = Value::of(one.value - 1);
      }
      if (options_.revisions) {
        event.more = Value::map();
        event.more.set("at", Value::list({Value::of(static_cast<std::int64_t>(one.modified))}));
      }
    } else if (event.f == "cas" && of.items[0].number != one.value) {
      event.type = Type::kFail;
      event.more.set("observed", Value::of(one.value));
    } else {
      one.value = event.f == "cas" ? of.items[1].number : of.number;
      one.modified = ++revision_;
    }
    if (options_.revisions) event.revision = revision_;
  }
  void end(Process& process) {
    process.under_way = false;
    if (process.unknown) {
      process.event.type = Type::kInfo;
      process.event.revision = 0;
      process.event.more = Value::nil();
    }
    add(process.event);
    // It retires its number.
    if (process.unknown) process.number += static_cast<std::int64_t>(processes_.size());
  }

  base::Random& random_;
  const RandomOptions& options_;
  std::vector<Process> processes_;
  std::map<std::int64_t, Register> registers_;
  std::int64_t value_ = 0;
  std::uint64_t revision_ = 0;
  std::uint32_t lies_ = 0;
  HistoryBuilder builder_;
};

}  // namespace

History random_history(base::Random& random, const RandomOptions& options) {
  return Generator(random, options).run();
}

}  // namespace jepsen
