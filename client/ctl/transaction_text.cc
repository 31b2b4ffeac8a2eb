#include "client/ctl/transaction_text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "client/ctl/bad_argument.h"
#include "client/ctl/escape.h"

namespace client::ctl {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// One word, quoted or bare, from the front of `*rest`. A bare word ends at a space or at one of
/// `stop`.
base::Result<std::string> word(std::string_view* rest, std::string_view stop = "") {
  *rest = trim(*rest);
  if (rest->empty()) return bad("a word is missing");
  if (rest->front() != '"') {
    std::size_t end = 0;
    while (end < rest->size() && (*rest)[end] != ' ' && (*rest)[end] != '\t' &&
           stop.find((*rest)[end]) == std::string_view::npos)
      ++end;
    std::string bare(rest->substr(0, end));
    rest->remove_prefix(end);
    if (bare.empty()) return bad("a word is missing");
    return bare;
  }
  std::size_t end = 1;
  while (end < rest->size() && (*rest)[end] != '"') end += (*rest)[end] == '\\' ? 2 : 1;
  if (end >= rest->size()) return bad("a quote is not closed");
  auto quoted = unescape(rest->substr(1, end - 1));
  rest->remove_prefix(end + 1);
  return quoted;
}

base::Result<std::uint64_t> number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return bad("\"" + text + "\" is not a number");
  return value;
}

std::optional<kv::CompareTarget> target_of(std::string_view name) {
  if (name == "value" || name == "val" || name == "v") return kv::CompareTarget::kValue;
  if (name == "version" || name == "ver") return kv::CompareTarget::kVersion;
  if (name == "create" || name == "c") return kv::CompareTarget::kCreateRevision;
  if (name == "lease") return kv::CompareTarget::kLease;
  if (name == "exists") return kv::CompareTarget::kExistence;
  if (name == "lock") return kv::CompareTarget::kLockToken;
  if (name == "modify" || name == "mod" || name == "m") return kv::CompareTarget::kModifyRevision;
  return std::nullopt;
}

std::optional<kv::CompareResult> take_result(std::string_view* rest) {
  *rest = trim(*rest);
  const auto take = [&](std::string_view sign) {
    if (!rest->starts_with(sign)) return false;
    rest->remove_prefix(sign.size());
    return true;
  };
  if (take("!=")) return kv::CompareResult::kNotEqual;
  if (take("==") || take("=")) return kv::CompareResult::kEqual;
  if (take("<")) return kv::CompareResult::kLess;
  if (take(">")) return kv::CompareResult::kGreater;
  return std::nullopt;
}

base::Result<kv::Compare> parse_compare(std::string_view line) {
  const auto open = line.find('(');
  if (open == std::string_view::npos) return bad("a compare looks like value(\"key\") = \"value\"");
  const std::string name(trim(line.substr(0, open)));
  const auto target = target_of(name);
  if (!target.has_value())
    return bad("\"" + name +
               "\" is not one of value, version, create, modify, lease, exists, lock");
  std::string_view rest = line.substr(open + 1);
  auto key = word(&rest, ")");
  if (!key.is_ok()) return key.status();
  rest = trim(rest);
  if (!rest.starts_with(")")) return bad("the key's closing parenthesis is missing");
  rest.remove_prefix(1);
  const auto result = take_result(&rest);
  if (!result.has_value()) return bad("one of = != < > is missing");
  auto against = word(&rest);
  if (!against.is_ok()) return against.status();
  if (!trim(rest).empty())
    return bad("\"" + std::string(trim(rest)) + "\" stands after the compare");

  kv::Compare compare;
  compare.key = std::move(key).value();
  compare.target = *target;
  compare.result = *result;
  if (*target == kv::CompareTarget::kValue) {
    compare.value = std::move(against).value();
    return compare;
  }
  if (*target == kv::CompareTarget::kLease && base::from_hex(against.value(), &compare.number))
    return compare;
  auto value = number(against.value());
  if (!value.is_ok()) return value.status();
  compare.number = value.value();
  return compare;
}

struct Words {
  std::vector<std::string> plain;
  bool prefix = false, keys_only = false, count_only = false;
  std::uint64_t limit = 0;
  base::LeaseId lease;
};

/// Flags count only where they are not quoted, so that any key can be written.
base::Result<Words> split(std::string_view line) {
  Words words;
  for (std::string_view rest = trim(line); !rest.empty(); rest = trim(rest)) {
    const bool flag = rest.starts_with("--");
    auto next = word(&rest);
    if (!next.is_ok()) return next.status();
    const std::string& text = next.value();
    if (!flag) {
      words.plain.push_back(text);
    } else if (text == "--prefix") {
      words.prefix = true;
    } else if (text == "--keys-only") {
      words.keys_only = true;
    } else if (text == "--count-only") {
      words.count_only = true;
    } else if (text.starts_with("--lease=")) {
      if (!base::from_hex(text.substr(8), &words.lease.value)) return bad(text + " is no lease");
    } else if (text.starts_with("--limit=")) {
      auto limit = number(text.substr(8));
      if (!limit.is_ok()) return limit.status();
      words.limit = limit.value();
    } else {
      return bad("unknown flag " + text);
    }
  }
  return words;
}

base::Result<kv::KeyRange> range_of(const Words& words) {
  if (words.plain.size() < 2 || words.plain.size() > 3)
    return bad(words.plain.front() + " takes a key and perhaps an end");
  kv::KeyRange range{words.plain[1], ""};
  if (words.plain.size() == 3) range.end = words.plain[2];
  if (words.prefix && !range.end.empty()) return bad("--prefix and an end exclude each other");
  if (words.prefix) range.end = prefix_end(range.begin);
  return range;
}

base::Result<kv::Operation> parse_operation(std::string_view line) {
  auto split_line = split(line);
  if (!split_line.is_ok()) return split_line.status();
  const Words& words = split_line.value();
  const std::string verb = words.plain.empty() ? "" : words.plain.front();
  const bool read_flags = words.keys_only || words.count_only || words.limit != 0;
  if (verb == "put") {
    if (words.plain.size() != 3 || words.prefix || read_flags)
      return bad("put takes a key and a value");
    return kv::Operation(kv::PutOperation{words.plain[1], words.plain[2], false, words.lease});
  }
  if (words.lease) return bad("only put takes a lease");
  if (verb != "get" && verb != "del") return bad("\"" + verb + "\" is not one of put, get, del");
  auto range = range_of(words);
  if (!range.is_ok()) return range.status();
  if (verb == "get")
    return kv::Operation(
        kv::RangeOperation{range.value(), words.limit, words.keys_only, words.count_only});
  if (read_flags) return bad("del takes no flag but --prefix");
  return kv::Operation(kv::DeleteOperation{range.value(), false});
}

}  // namespace

base::Result<kv::Transaction> parse_transaction(std::string_view text) {
  kv::Transaction transaction;
  int section = 0;
  int line_number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    base::Status status;
    if (line.empty()) {
      ++section;
    } else if (section == 0) {
      auto compare = parse_compare(line);
      status = compare.status();
      if (compare.is_ok()) transaction.compares.push_back(std::move(compare).value());
    } else if (section <= 2) {
      auto operation = parse_operation(line);
      status = operation.status();
      auto& operations = section == 1 ? transaction.then : transaction.otherwise;
      if (operation.is_ok()) operations.push_back(std::move(operation).value());
    } else {
      status = bad("more than three sections (they are separated by empty lines)");
    }
    if (!status.is_ok()) return bad("line " + std::to_string(line_number) + ": " + status.detail());
  }
  return transaction;
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (end.empty()) return std::string(1, '\0');
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace client::ctl
