#include "jepsen/history/files.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "jepsen/history/edn.h"
#include "jepsen/history/json_lines.h"

namespace jepsen {
namespace {

using base::Code;
using base::Result;
using base::Status;

Status at(const std::string& path, std::size_t line, const Status& status) {
  return {status.code(), path + ":" + std::to_string(line) + ": " + status.detail()};
}

Result<std::ifstream> open(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status(Code::kIo, path + " cannot be read");
  return file;
}

using Take = std::function<Status(Event event)>;

Status each_line(const std::string& path, std::istream& file, const Take& take) {
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    auto value = from_json(line);
    if (!value.is_ok()) return file.eof() ? Status::ok() : at(path, number, value.status());
    auto event = to_event(std::move(value).value());
    Status status = event.is_ok() ? take(std::move(event).value()) : event.status();
    if (!status.is_ok()) return at(path, number, status);
  }
  return Status::ok();
}

Status each_of_edn(const std::string& path, std::istream& file, const Take& take) {
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  EdnReader reader(all);
  reader.enter();
  for (std::size_t number = 0; reader.more(); ++number) {
    auto value = reader.next();
    if (!value.is_ok()) return {Code::kCorrupt, path + ": " + value.status().detail()};
    auto event = to_event(std::move(value).value());
    Status status = event.is_ok() ? take(std::move(event).value()) : event.status();
    if (!status.is_ok())
      return {status.code(), path + ", event " + std::to_string(number) + ": " + status.detail()};
  }
  return Status::ok();
}

/// {" begins JSON; EDN has {: or a bracket or a comment.
bool is_json(std::istream& file) {
  std::string begin(2, ' ');
  file.read(begin.data(), 2);
  file.clear();
  file.seekg(0);
  return begin == "{\"";
}

Status each_event(const std::string& path, const Take& take) {
  auto file = open(path);
  if (!file.is_ok()) return file.status();
  return is_json(file.value()) ? each_line(path, file.value(), take)
                               : each_of_edn(path, file.value(), take);
}

/// Words of others for what we call members; a process that is no client is a keyword.
std::string edn_line(const Event& event, std::uint64_t index, const Value& value) {
  Event copy = event;
  copy.value = value;
  if (copy.f == "members") copy.f = "read";
  Value line = to_value(copy, index);
  for (std::size_t i = 0; i + 1 < line.items.size(); i += 2)
    if (line.items[i].text == "error") line.items[i + 1].kind = Value::Kind::kText;
  return to_edn(line);
}

bool is_of_register(const Event& event) {
  return event.of_client() && (event.f == "read" || event.f == "write" || event.f == "cas") &&
         event.value.is_list() && event.value.items.size() == 2;
}

/// The histories of single registers, each of which begins with a write of what it holds at first.
class KeyFiles {
 public:
  explicit KeyFiles(std::string folder) : folder_(std::move(folder)) {}

  void add(const Event& event) {
    if (!is_of_register(event)) return;
    const Value& name = event.value.items[0];
    const std::string key = name.is_int() ? std::to_string(name.number) : name.text;
    Lines& lines = lines_[key];
    if (lines.count == 0) {
      Event first;
      first.process = 0, first.type = Type::kInvoke, first.f = "write";
      first.value = Value::of(kAbsent);
      append(lines, first, first.value);
      first.type = Type::kOk;
      append(lines, first, first.value);
    }
    append(lines, event, event.value.items[1]);
  }
  Result<std::size_t> write() const {
    if (lines_.empty()) return std::size_t{0};
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    for (const auto& [key, lines] : lines_) {
      std::ofstream file(folder_ + "/" + key + ".edn", std::ios::binary);
      file << lines.text;
      if (!file.flush()) return Status(Code::kIo, folder_ + "/" + key + ".edn cannot be written");
    }
    return lines_.size();
  }

 private:
  struct Lines {
    std::uint64_t count = 0;
    std::string text;
  };
  static void append(Lines& lines, const Event& event, const Value& value) {
    lines.text += edn_line(event, lines.count++, value) + "\n";
  }
  const std::string folder_;
  std::map<std::string, Lines> lines_;
};

/// One line an operation; those that did not return come last, without an end.
class Calls {
 public:
  explicit Calls(const std::string& path) : file_(path, std::ios::binary) {}
  void add(const Event& event) {
    if (!event.of_client()) return;
    if (event.type == Type::kInvoke) {
      open_[event.process] = event;
      return;
    }
    const auto found = open_.find(event.process);
    if (found == open_.end() || event.type == Type::kInfo) return;
    if (event.type == Type::kOk) write(found->second, &event);
    open_.erase(found);
  }
  bool finish() {
    for (const auto& [process, event] : open_) write(event, nullptr);
    return static_cast<bool>(file_.flush());
  }

 private:
  void write(const Event& call, const Event* end) {
    Value input = Value::map();
    input.set("f", Value::word(call.f)).set("value", call.value);
    Value line = Value::map();
    line.set("client", Value::of(call.process)).set("input", std::move(input));
    line.set("call", Value::of(static_cast<std::int64_t>(call.time_ns)));
    line.set("output", end != nullptr ? end->value : Value::nil());
    line.set("return",
             end != nullptr ? Value::of(static_cast<std::int64_t>(end->time_ns)) : Value::nil());
    file_ << to_json(line) << "\n";
  }
  std::ofstream file_;
  std::map<std::int64_t, Event> open_;
};

}  // namespace

Result<History> read_history(const std::string& path) {
  HistoryBuilder builder;
  const Status status =
      each_event(path, [&](Event event) { return builder.add(std::move(event)); });
  if (!status.is_ok()) return status;
  return builder.take();
}

Result<std::size_t> export_history(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const std::string base = folder.empty() ? "." : folder;
  std::ofstream edn(base + "/history.edn", std::ios::binary);
  Calls calls(base + "/calls.jsonl");
  KeyFiles keys(base + "/keys");
  std::uint64_t index = 0;
  const Status status = each_event(path, [&](const Event& event) {
    edn << edn_line(event, index++, event.value) << "\n";
    keys.add(event);
    calls.add(event);
    return Status::ok();
  });
  if (!status.is_ok()) return status;
  const auto written = keys.write();
  if (!written.is_ok()) return written;
  if (!edn.flush() || !calls.finish()) return Status(Code::kIo, base + " cannot be written");
  return written.value() + 2;
}

}  // namespace jepsen
