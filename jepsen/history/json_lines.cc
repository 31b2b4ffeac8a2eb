#include "jepsen/history/json_lines.h"

#include <nlohmann/json.hpp>

namespace jepsen {
namespace {

/// Builds a Value while the text is read.
class Sax final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Value take() { return std::move(root_); }
  const std::string& error() const { return error_; }

  bool null() override { return add(Value::nil()); }
  bool boolean(bool flag) override {
    Value value;
    value.kind = Value::Kind::kBool, value.number = flag;
    return add(std::move(value));
  }
  bool number_integer(number_integer_t number) override { return add(Value::of(number)); }
  bool number_unsigned(number_unsigned_t number) override {
    return add(Value::of(static_cast<std::int64_t>(number)));
  }
  bool number_float(number_float_t number, const string_t&) override {
    Value value;
    value.kind = Value::Kind::kReal, value.real = number;
    return add(std::move(value));
  }
  bool string(string_t& text) override { return add(Value::text_of(std::move(text))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Value::Kind::kMap); }
  bool key(string_t& text) override { return add(Value::word(std::move(text))); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Value::Kind::kList); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::json::exception& exception) override {
    error_ = exception.what();
    return false;
  }

 private:
  bool add(Value value) {
    (open_.empty() ? root_ : open_.back().items.emplace_back()) = std::move(value);
    return true;
  }
  bool open(Value::Kind kind) {
    open_.emplace_back().kind = kind;
    return true;
  }
  bool close() {
    Value done = std::move(open_.back());
    open_.pop_back();
    return add(std::move(done));
  }

  Value root_;
  std::vector<Value> open_;
  std::string error_;
};

}  // namespace

base::Result<Value> from_json(std::string_view text) {
  Sax sax;
  if (!nlohmann::json::sax_parse(text, &sax))
    return base::Status(base::Code::kCorrupt, sax.error());
  return sax.take();
}

std::string to_json(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNil:
      return "null";
    case Value::Kind::kBool:
      return value.number != 0 ? "true" : "false";
    case Value::Kind::kInt:
      return std::to_string(value.number);
    case Value::Kind::kReal:
      return nlohmann::json(value.real).dump();
    case Value::Kind::kText:
    case Value::Kind::kWord:
      return nlohmann::json(value.text)
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    case Value::Kind::kList:
    case Value::Kind::kMap:
      break;
  }
  const bool map = value.kind == Value::Kind::kMap;
  std::string text = map ? "{" : "[";
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    if (i > 0) text += map && i % 2 == 1 ? ":" : ",";
    text += to_json(value.items[i]);
  }
  return text + (map ? "}" : "]");
}

}  // namespace jepsen
