#include "client/ctl/commands.h"

#include <unistd.h>

#include <iostream>

#include "client/client.h"
#include "client/ctl/print.h"
#include "client/ctl/session.h"
#include "client/ctl/transaction_text.h"

namespace client::ctl {
namespace {

/// stdin up to `most` bytes; kTooLarge above.
base::Result<std::string> read_stdin(std::size_t most, const std::string& what) {
  std::string bytes;
  char buffer[64 * 1024];
  while (std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin)) {
    bytes.append(buffer, got);
    if (bytes.size() > most)
      return base::Status(base::Code::kTooLarge,
                          what + " on stdin has more than " + std::to_string(most) + " bytes");
  }
  if (std::ferror(stdin))
    return base::Status(base::Code::kInvalidArgument, what + " on stdin cannot be read");
  return bytes;
}

/// The last stamp of that millisecond, so that all that was written in it is seen; 0: none.
base::HybridTime end_of_millisecond(std::uint64_t ms) {
  return ms == 0 ? base::HybridTime() : base::HybridTime(ms, UINT16_MAX);
}

template <class T>
const T* only(const Outcome& outcome) {
  return outcome.result.results.size() == 1 ? std::get_if<T>(&outcome.result.results.front())
                                            : nullptr;
}

int malformed(const std::string& what, Format format) {
  return fail(what, {base::Code::kProtocol, "the answer has another form than the request"},
              format);
}

}  // namespace

kv::KeyRange range_of(const std::string& key, const std::string& end, bool prefix, bool from_key) {
  if (prefix) return {key.empty() ? std::string(1, '\0') : key, prefix_end(key)};
  if (from_key) return {key.empty() ? std::string(1, '\0') : key, std::string(1, '\0')};
  return {key, end};
}

int print(std::FILE* to, const std::string& text, int exit_code) {
  if (std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0)
    return exit_code;
  std::fprintf(stderr, "holdfast: the output cannot be written\n");
  return exit_code == kExitOk ? kExitFailure : exit_code;
}

int fail(const std::string& what, const base::Status& status, Format format) {
  return print(stderr, failure(what, status, format), base::traits(status.code()).exit_code);
}

int fail(const std::string& what, const Outcome& outcome, Format format) {
  const int exit_code = fail(what, outcome.status, format);
  // A call that never reached a member has left nothing anywhere.
  const base::Code code = outcome.status.code();
  const bool sent = base::traits(code).applied == base::Applied::kUnknown ||
                    code == base::Code::kTimeoutBeforeSend;
  if (format == Format::kJson || outcome.trace == 0 || !sent) return exit_code;
  if (base::traits(code).applied == base::Applied::kUnknown && outcome.session) {
    const std::string id =
        std::to_string(outcome.session.value) + " " + std::to_string(outcome.sequence);
    print(stderr, "`holdfast resolve " + id + "` says what became of it\n", exit_code);
  }
  const std::string trace = base::to_hex(outcome.trace);
  return print(stderr, "trace " + trace + ": `holdfast trace " + trace + "` says where it waited\n",
               exit_code);
}

int run_put(const Arguments& arguments) {
  const Format format = arguments.global.format;
  std::string value = arguments.put.value.value_or("-");
  if (value == "-") {
    auto read = read_stdin(kv::Limits{}.value_bytes, "the value");
    if (!read.is_ok()) return fail("put", read.status(), format);
    value = std::move(read).value();
  }
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("put", session.status(), format);
  kv::Transaction transaction;
  transaction.then.push_back(
      kv::PutOperation{arguments.put.key, std::move(value), false, arguments.write.lease});
  transaction.fences = arguments.write.fences;
  const Outcome outcome = session.value()->write(std::move(transaction));
  if (!outcome.status.is_ok()) return fail("put", outcome, format);
  return print(stdout, format == Format::kJson ? json_of_put(outcome) : "OK\n", kExitOk);
}

int run_get(const Arguments& arguments) {
  const Format format = arguments.global.format;
  const GetArguments& get = arguments.get;
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("get", session.status(), format);
  kv::Transaction transaction;
  transaction.then.push_back(kv::RangeOperation{
      range_of(get.key, get.end, get.prefix, get.from_key), get.limit, get.keys_only,
      get.count_only, base::Revision(get.revision), end_of_millisecond(get.at_ms)});
  const Outcome outcome =
      session.value()->read(std::move(transaction), get.consistency, get.max_staleness_ms);
  if (!outcome.status.is_ok()) return fail("get", outcome, format);
  const auto* range = only<kv::RangeResult>(outcome);
  if (range == nullptr) return malformed("get", format);
  const bool missing = !get.is_range() && !get.count_only && range->items.empty();
  const int exit_code = missing ? kExitNotFound : kExitOk;
  if (format == Format::kJson) return print(stdout, json_of_get(outcome), exit_code);
  if (range->more && get.limit == 0)
    std::fprintf(stderr, "holdfast: get: %zu of %llu keys; go on from the last one\n",
                 range->items.size(), static_cast<unsigned long long>(range->count));
  return print(stdout, simple_get(*range, get, arguments.global.hex), exit_code);
}

int run_del(const Arguments& arguments) {
  const Format format = arguments.global.format;
  const DelArguments& del = arguments.del;
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("del", session.status(), format);
  kv::Transaction transaction;
  transaction.then.push_back(
      kv::DeleteOperation{range_of(del.key, del.end, del.prefix, del.from_key), false});
  transaction.fences = arguments.write.fences;
  const Outcome outcome = session.value()->write(std::move(transaction));
  if (!outcome.status.is_ok()) return fail("del", outcome, format);
  const auto* deleted = only<kv::DeleteResult>(outcome);
  if (deleted == nullptr) return malformed("del", format);
  const bool missing = !del.is_range() && deleted->deleted == 0;
  return print(
      stdout,
      format == Format::kJson ? json_of_del(outcome) : std::to_string(deleted->deleted) + "\n",
      missing ? kExitNotFound : kExitOk);
}

int run_resolve(const Arguments& arguments) {
  const Format format = arguments.global.format;
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("resolve", session.status(), format);
  const Outcome outcome = session.value()->resolve(base::SessionId(arguments.resolve.session),
                                                   arguments.resolve.sequence);
  switch (outcome.status.code()) {
    case base::Code::kOk:
      return print(
          stdout,
          format == Format::kJson
              ? json_of_resolve("applied", outcome)
              : "applied at revision " + std::to_string(outcome.result.revision.value) + "\n",
          kExitOk);
    case base::Code::kSealed:
      return print(stdout, format == Format::kJson ? json_of_resolve("never", outcome) : "never\n",
                   kExitNotFound);
    case base::Code::kUnknownSession:
    case base::Code::kSequenceForgotten:
      return print(stdout,
                   format == Format::kJson ? json_of_resolve("forgotten", outcome) : "forgotten\n",
                   kExitUnknown);
    default:
      return fail("resolve", outcome, format);
  }
}

int run_history(const Arguments& arguments) {
  const Format format = arguments.global.format;
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("history", session.status(), format);
  kv::Transaction transaction;
  transaction.then.push_back(kv::HistoryOperation{
      arguments.history.key, base::Revision(arguments.history.before), arguments.history.limit});
  const Outcome outcome = session.value()->read(std::move(transaction), Consistency::kLinearizable);
  if (!outcome.status.is_ok()) return fail("history", outcome, format);
  const auto* history = only<kv::HistoryResult>(outcome);
  if (history == nullptr) return malformed("history", format);
  const int exit_code = history->events.empty() ? kExitNotFound : kExitOk;
  if (format == Format::kJson) return print(stdout, json_of_history(outcome), exit_code);
  if (history->more && arguments.history.limit == 0)
    std::fprintf(
        stderr, "holdfast: history: there is more; go on with --before %llu\n",
        static_cast<unsigned long long>(history->events.back().item.modify_revision.value));
  return print(stdout, simple_history(*history), exit_code);
}

int run_compact(const Arguments& arguments) {
  const Format format = arguments.global.format;
  const CompactArguments& compact = arguments.compact;
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("compact", session.status(), format);
  kv::Transaction transaction;
  if (compact.revision != 0)
    transaction.then.push_back(kv::CompactOperation{base::Revision(compact.revision)});
  if (compact.keep) transaction.then.push_back(kv::RetainOperation{*compact.keep});
  const Outcome outcome = session.value()->write(std::move(transaction));
  if (!outcome.status.is_ok()) return fail("compact", outcome, format);
  if (format == Format::kJson) return print(stdout, json_of_txn(outcome), kExitOk);
  std::string text;
  if (compact.revision != 0)
    text += "compacted revision " + std::to_string(compact.revision) + "\n";
  if (compact.keep) text += "from here on kept: " + describe(*compact.keep) + "\n";
  return print(stdout, text, kExitOk);
}

int run_txn(const Arguments& arguments) {
  const Format format = arguments.global.format;
  if (isatty(STDIN_FILENO) != 0)
    std::fprintf(stderr, "compares, empty line, then, empty line, otherwise; end with ctrl-D:\n");
  auto text = read_stdin(4 * kv::Limits{}.transaction_bytes, "the transaction");
  if (!text.is_ok()) return fail("txn", text.status(), format);
  auto parsed = parse_transaction(text.value());
  if (!parsed.is_ok()) {
    (void)fail("txn", parsed.status(), format);
    return kExitUsage;
  }
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("txn", session.status(), format);
  kv::Transaction transaction = std::move(parsed).value();
  transaction.fences = arguments.write.fences;
  const Outcome outcome =
      kv::writes(transaction)
          ? session.value()->write(std::move(transaction))
          : session.value()->read(std::move(transaction), Consistency::kLinearizable);
  if (!outcome.status.is_ok()) return fail("txn", outcome, format);
  return print(
      stdout,
      format == Format::kJson ? json_of_txn(outcome) : simple_txn(outcome, arguments.global.hex),
      outcome.result.succeeded ? kExitOk : kExitNotFound);
}

}  // namespace client::ctl
