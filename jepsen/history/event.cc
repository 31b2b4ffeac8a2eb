#include "jepsen/history/event.h"

#include <array>
#include <utility>

namespace jepsen {
namespace {

constexpr std::array<const char*, 4> kNames = {"invoke", "ok", "fail", "info"};

std::uint64_t number(const Value& value) {
  return value.is_int() && value.number > 0 ? static_cast<std::uint64_t>(value.number) : 0;
}

}  // namespace

const char* name_of(Type type) {
  return kNames[static_cast<std::size_t>(type)];
}

Value to_value(const Event& event, std::uint64_t index) {
  Value line = Value::map();
  line.set("index", Value::of(static_cast<std::int64_t>(index)));
  line.set("time", Value::of(static_cast<std::int64_t>(event.time_ns)));
  line.set("process", event.of_client() ? Value::of(event.process) : Value::word(event.actor));
  line.set("type", Value::word(name_of(event.type)));
  line.set("f", Value::word(event.f));
  line.set("value", event.value);
  if (!event.error.empty()) line.set("error", Value::text_of(event.error));
  if (!event.node.empty()) line.set("node", Value::text_of(event.node));
  if (event.revision != 0)
    line.set("revision", Value::of(static_cast<std::int64_t>(event.revision)));
  if (event.term != 0) line.set("term", Value::of(static_cast<std::int64_t>(event.term)));
  for (std::size_t i = 0; i + 1 < event.more.items.size(); i += 2)
    line.set(event.more.items[i].text, event.more.items[i + 1]);
  return line;
}

base::Result<Event> to_event(Value value) {
  if (!value.is_map()) return base::Status(base::Code::kCorrupt, "an event is no map");
  Event event;
  bool typed = false, known = false;
  for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
    const std::string& key = value.items[i].text;
    Value& of = value.items[i + 1];
    if (key == "process") {
      known = of.is_int() || of.is_name();
      if (of.is_int()) event.process = of.number;
      event.actor = std::move(of.text);
    } else if (key == "type") {
      for (std::size_t type = 0; type < kNames.size(); ++type) {
        if (of.text != kNames[type]) continue;
        event.type = static_cast<Type>(type);
        typed = true;
      }
    } else if (key == "f") {
      event.f = std::move(of.text);
    } else if (key == "value") {
      event.value = std::move(of);
    } else if (key == "time") {
      event.time_ns = number(of);
    } else if (key == "error") {
      event.error = of.is_name() ? std::move(of.text) : "error";
    } else if (key == "node") {
      event.node = std::move(of.text);
    } else if (key == "revision") {
      event.revision = number(of);
    } else if (key == "term") {
      event.term = number(of);
    } else if (key != "index") {
      if (!event.more.is_map()) event.more = Value::map();
      event.more.set(key, std::move(of));
    }
  }
  if (!typed || !known)
    return base::Status(base::Code::kCorrupt, "an event without a process or a type");
  return event;
}

}  // namespace jepsen
