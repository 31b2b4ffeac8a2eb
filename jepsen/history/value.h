// A value of a recorded event as the files hold it, JSON or EDN alike. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace jepsen {

/// - kList: `items`; of a set or list of EDN, too.
/// - kMap: `items` are key, value, key, value…; keys of JSON are kWord.
/// - kWord: a keyword or symbol of EDN, without its colon.
struct Value {
  enum class Kind : std::uint8_t { kNil, kBool, kInt, kReal, kText, kWord, kList, kMap };
  Kind kind = Kind::kNil;
  std::int64_t number = 0;  // kInt, kBool
  double real = 0;          // kReal
  std::string text{};       // kText, kWord
  std::vector<Value> items{};

  static Value nil() { return {}; }
  static Value of(std::int64_t number) {
    Value value;
    value.kind = Kind::kInt, value.number = number;
    return value;
  }
  static Value text_of(std::string text) {
    Value value;
    value.kind = Kind::kText, value.text = std::move(text);
    return value;
  }
  static Value word(std::string text) {
    Value value;
    value.kind = Kind::kWord, value.text = std::move(text);
    return value;
  }
  static Value list(std::vector<Value> items = {}) {
    Value value;
    value.kind = Kind::kList, value.items = std::move(items);
    return value;
  }
  static Value map() {
    Value value;
    value.kind = Kind::kMap;
    return value;
  }
  /// Requires: a map. Returns itself, for more.
  Value& set(std::string key, Value value) {
    items.push_back(word(std::move(key)));
    items.push_back(std::move(value));
    return *this;
  }

  bool is_nil() const { return kind == Kind::kNil; }
  bool is_int() const { return kind == Kind::kInt; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  bool is_name() const { return kind == Kind::kText || kind == Kind::kWord; }
  /// Of a map; null if it has no such key.
  const Value* find(const std::string& key) const {
    for (std::size_t i = 0; kind == Kind::kMap && i + 1 < items.size(); i += 2)
      if (items[i].is_name() && items[i].text == key) return &items[i + 1];
    return nullptr;
  }
  bool operator==(const Value&) const = default;
};

}  // namespace jepsen
