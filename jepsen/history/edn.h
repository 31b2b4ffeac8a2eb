// EDN, as far as recorded histories use it (edn-format.org): nil, booleans, numbers, strings,
// keywords and symbols, vectors, lists, sets, maps; tags are dropped. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "jepsen/history/value.h"

namespace jepsen {

/// Reads one value after the other.
class EdnReader {
 public:
  explicit EdnReader(std::string_view text) : text_(text) {}
  /// Whether another value follows; comments and commas are blanks.
  bool more();
  /// Errors: kCorrupt, naming the line.
  base::Result<Value> next();
  /// Steps into a vector or list that holds everything, if that is what follows; its end is then
  /// taken for a blank.
  void enter();

 private:
  static constexpr int kDepthMax = 64;
  base::Status wrong(const std::string& what) const;
  base::Result<Value> value(int depth);
  base::Result<Value> items(char end, Value::Kind kind, int depth);
  base::Result<Value> text();
  Value atom();
  void skip_blanks();

  std::string_view text_;
  std::size_t at_ = 0;
  bool entered_ = false;
};

std::string to_edn(const Value& value);

}  // namespace jepsen
