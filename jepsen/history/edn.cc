#include "jepsen/history/edn.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace jepsen {
namespace {

using base::Result;

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == ',';
}
bool ends_atom(char c) {
  return is_blank(c) || std::string_view("()[]{}\";").find(c) != std::string_view::npos;
}

}  // namespace

base::Status EdnReader::wrong(const std::string& what) const {
  const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n');
  return {base::Code::kCorrupt, "line " + std::to_string(line) + ": " + what};
}

void EdnReader::skip_blanks() {
  for (; at_ < text_.size(); ++at_) {
    if (text_[at_] == ';') {
      at_ = std::min(text_.find('\n', at_), text_.size() - 1);
    } else if (!is_blank(text_[at_])) {
      const bool outer_end = entered_ && (text_[at_] == ']' || text_[at_] == ')');
      if (!outer_end) return;
      entered_ = false;
    }
  }
}

bool EdnReader::more() {
  skip_blanks();
  return at_ < text_.size();
}

void EdnReader::enter() {
  skip_blanks();
  if (at_ >= text_.size() || (text_[at_] != '[' && text_[at_] != '(')) return;
  ++at_;
  entered_ = true;
}

Result<Value> EdnReader::next() {
  // Inside a value an end is its own.
  const bool entered = entered_;
  skip_blanks();
  entered_ = false;
  auto read = value(0);
  entered_ = entered;
  return read;
}

Result<Value> EdnReader::value(int depth) {
  skip_blanks();
  if (at_ >= text_.size()) return wrong("the text ends inside a value");
  if (depth > kDepthMax) return wrong("nested too deeply");
  const char c = text_[at_];
  if (c == '[' || c == '(') return items(c == '[' ? ']' : ')', Value::Kind::kList, depth);
  if (c == '{') return items('}', Value::Kind::kMap, depth);
  if (c == '"') return text();
  if (c == '#') {
    ++at_;
    if (at_ < text_.size() && text_[at_] == '{') return items('}', Value::Kind::kList, depth);
    (void)atom();  // a tag
    return value(depth + 1);
  }
  if (ends_atom(c)) return wrong(std::string("an unexpected \"") + c + "\"");
  return atom();
}

Result<Value> EdnReader::items(char end, Value::Kind kind, int depth) {
  Value all;
  all.kind = kind;
  ++at_;
  for (;;) {
    skip_blanks();
    if (at_ >= text_.size()) return wrong(std::string("a \"") + end + "\" is missing");
    if (text_[at_] == end) break;
    auto item = value(depth + 1);
    if (!item.is_ok()) return item;
    all.items.push_back(std::move(item).value());
  }
  ++at_;
  if (kind == Value::Kind::kMap && all.items.size() % 2 != 0) return wrong("a key without a value");
  return all;
}

Result<Value> EdnReader::text() {
  Value value = Value::text_of("");
  for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
    if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
      const char c = text_[++at_];
      value.text += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    } else {
      value.text += text_[at_];
    }
  }
  if (at_ >= text_.size()) return wrong("a string does not end");
  ++at_;
  return value;
}

Value EdnReader::atom() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && !ends_atom(text_[at_])) ++at_;
  const std::string_view word = text_.substr(begin, at_ - begin);
  if (word == "nil") return Value::nil();
  Value value;
  if (word == "true" || word == "false") {
    value.kind = Value::Kind::kBool, value.number = word == "true";
    return value;
  }
  const char* last = word.data() + word.size();
  const auto [whole, error] = std::from_chars(word.data(), last, value.number);
  if (error == std::errc() && (whole == last || (*whole == 'N' && whole + 1 == last))) {
    value.kind = Value::Kind::kInt;
    return value;
  }
  const auto [real_end, real_error] = std::from_chars(word.data(), last, value.real);
  if (real_error == std::errc() && real_end == last) {
    value.kind = Value::Kind::kReal;
    return value;
  }
  return Value::word(std::string(word.substr(word.starts_with(':') ? 1 : 0)));
}

std::string to_edn(const Value& value) {
  const auto joined = [&](const char* open, const char* close) {
    std::string text = open;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      if (i > 0) text += value.kind == Value::Kind::kMap && i % 2 == 0 ? ", " : " ";
      text += to_edn(value.items[i]);
    }
    return text + close;
  };
  switch (value.kind) {
    case Value::Kind::kNil:
      return "nil";
    case Value::Kind::kBool:
      return value.number != 0 ? "true" : "false";
    case Value::Kind::kInt:
      return std::to_string(value.number);
    case Value::Kind::kReal:
      return std::to_string(value.real);
    case Value::Kind::kWord:
      return ":" + value.text;
    case Value::Kind::kList:
      return joined("[", "]");
    case Value::Kind::kMap:
      return joined("{", "}");
    case Value::Kind::kText:
      break;
  }
  std::string text = "\"";
  for (const char c : value.text) {
    if (c == '"' || c == '\\') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return text + "\"";
}

}  // namespace jepsen
