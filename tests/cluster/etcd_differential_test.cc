// The same calls to Debian's etcd and to a member of Holdfast: the same replies, versions and
// revisions, but for what is written in docs/data-model.md, "Unlike etcd". etcd is asked through
// its JSON gateway, on loopback.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <kj/compat/http.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "client/client.h"
#include "client/ctl/child.h"
#include "client/ctl/escape.h"
#include "client/ctl/playground/ports.h"
#include "net/connection.h"
#include "net/loop.h"
#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

using client::ctl::base64;
using nlohmann::json;

/// HOLDFAST_DIFFERENTIAL_CALLS: more of them, by hand.
std::uint64_t calls() {
  const char* text = std::getenv("HOLDFAST_DIFFERENTIAL_CALLS");
  return text == nullptr ? 10'000 : std::strtoull(text, nullptr, 10);
}

/// etcd's revisions begin at 1, where ours begin at 0.
constexpr std::uint64_t kOffset = 1;

/// One etcd of its own.
class Etcd {
 public:
  explicit Etcd(net::Loop& loop) : loop_(loop) {
    const auto ports =
        client::ctl::playground::free_ports(2, static_cast<std::uint64_t>(getpid())).value();
    client_port_ = ports.at(0);
    const std::string url = "http://127.0.0.1:" + std::to_string(client_port_);
    const std::string peer = "http://127.0.0.1:" + std::to_string(ports.at(1));
    started_ = child_.start(
        {HOLDFAST_ETCD, "--data-dir", scratch_.path() + "/etcd", "--listen-client-urls", url,
         "--advertise-client-urls", url, "--listen-peer-urls", peer,
         "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer, "--logger",
         "zap", "--log-outputs", scratch_.path() + "/etcd.log", "--max-txn-ops", "256"},
        {});
  }
  bool ready() {
    for (int i = 0; i < 200 && started_.is_ok(); ++i) {
      try {
        if (post("/v3/kv/range", {{"key", base64("k")}}).contains("header")) return true;
      } catch (const kj::Exception&) {
        disconnect();
      }
      (void)loop_.wait(loop_.timer().afterDelay(100 * kj::MILLISECONDS), 1000);
    }
    return false;
  }
  json post(const std::string& path, const json& body) {
    if (http_.get() == nullptr) connect();
    const std::string text = body.dump();
    kj::HttpHeaders headers(table_);
    headers.set(kj::HttpHeaderId::HOST, "127.0.0.1");
    auto request = http_->request(kj::HttpMethod::POST, path, headers, text.size());
    std::string answer;
    auto done = request.body->write(text.data(), text.size())
                    .then([&request] {
                      request.body = nullptr;
                      return kj::mv(request.response);
                    })
                    .then([&answer](kj::HttpClient::Response&& response) {
                      auto all = response.body->readAllText();
                      return all.then([&answer, body = kj::mv(response.body)](kj::String&& got) {
                        answer = got.cStr();
                      });
                    });
    KJ_REQUIRE(loop_.wait(kj::mv(done), 10'000), "etcd does not answer");
    json reply = json::parse(answer);
    // Its failures have trailers, which kj-http does not read.
    if (reply.contains("error")) disconnect();
    return reply;
  }

 private:
  void disconnect() {
    http_ = nullptr;
    stream_ = nullptr;
  }
  void connect() {
    (void)loop_.wait(net::dial(loop_, {"127.0.0.1", client_port_}, 1000)
                         .then([this](std::shared_ptr<net::Socket> socket) {
                           stream_ = net::byte_stream(std::move(socket));
                         }),
                     2000);
    KJ_REQUIRE(stream_.get() != nullptr, "etcd does not listen");
    http_ = kj::newHttpClient(table_, *stream_);
  }

  net::Loop& loop_;
  Scratch scratch_;
  client::ctl::Child child_;
  base::Status started_;
  std::uint16_t client_port_ = 0;
  kj::HttpHeaderTable table_;
  kj::Own<kj::AsyncIoStream> stream_;
  kj::Own<kj::HttpClient> http_;
};

/// One call, for both.
class Calls {
 public:
  explicit Calls(std::uint64_t seed) : random_(seed) {}

  std::uint64_t revision = 0;  // ours, of the last reply

  kv::Transaction next() {
    kv::Transaction made;
    switch (random_.below(20)) {
      case 0:
        made.then.push_back(kv::GrantOperation{lease(), 1'000'000, false});
        break;
      case 1:
        made.then.push_back(kv::RevokeOperation{lease()});
        break;
      case 2:
        made.then.push_back(kv::CompactOperation{base::Revision(
            random_.chance(3) ? revision + random_.below(3) : revision - revision / 20)});
        if (std::get<kv::CompactOperation>(made.then[0]).revision.value == 0) return next();
        break;
      case 3:
      case 4:
      case 5:
      case 6:
      case 7:
        made.then.push_back(range(true));
        break;
      case 8:
      case 9:
      case 10:
        made.then.push_back(erase());
        break;
      case 11:
      case 12:
      case 13:
      case 14:
        return transaction();
      default:
        made.then.push_back(put());
    }
    return made;
  }

 private:
  kv::Transaction transaction() {
    kv::Transaction made;
    for (auto n = random_.below(3); n > 0; --n) {
      static constexpr kv::CompareTarget kTargets[] = {
          kv::CompareTarget::kVersion, kv::CompareTarget::kCreateRevision,
          kv::CompareTarget::kModifyRevision, kv::CompareTarget::kValue, kv::CompareTarget::kLease};
      kv::Compare compare{key(), kTargets[random_.below(5)],
                          static_cast<kv::CompareResult>(random_.below(4)), random_.below(4),
                          value()};
      const bool revision_of = compare.target == kv::CompareTarget::kCreateRevision ||
                               compare.target == kv::CompareTarget::kModifyRevision;
      if (revision_of && random_.chance(2))
        compare.number = revision - std::min<std::uint64_t>(revision, random_.below(20));
      made.compares.push_back(std::move(compare));
    }
    std::string used;  // no key is written twice
    for (auto* list : {&made.then, &made.otherwise}) {
      used.clear();
      for (auto n = random_.below(4); n > 0; --n) {
        kv::Operation operation = random_.chance(2) ? kv::Operation(put()) : range(false);
        if (const auto* one = std::get_if<kv::PutOperation>(&operation)) {
          if (used.find(one->key) != std::string::npos) continue;
          used += one->key;
        }
        list->push_back(std::move(operation));
      }
    }
    if (made.then.empty() && made.otherwise.empty()) made.then.push_back(put());
    return made;
  }
  std::string key() { return std::string(1, static_cast<char>('a' + random_.below(12))); }
  std::string value() {
    return std::string(random_.below(3), 'v') + std::to_string(random_.below(4));
  }
  base::LeaseId lease() { return base::LeaseId(1 + random_.below(6)); }
  kv::PutOperation put() {
    return {key(), value(), random_.chance(2), random_.chance(4) ? lease() : base::LeaseId()};
  }
  kv::KeyRange key_range() {
    if (random_.chance(2)) return {key(), ""};
    if (random_.chance(3)) return {key(), std::string(1, '\0')};
    std::string begin = key(), end = key();
    if (begin >= end) std::swap(begin, end);
    if (begin == end) end += "z";
    return {begin, end};
  }
  kv::RangeOperation range(bool past) {
    kv::RangeOperation made{key_range(), random_.below(4), random_.chance(5), random_.chance(5)};
    if (past && revision > 0 && random_.chance(4))
      made.revision = base::Revision(revision + 2 - std::min(revision, random_.below(80)));
    return made;
  }
  kv::DeleteOperation erase() { return {key_range(), random_.chance(2)}; }

  base::Random random_;
};

// ---- To etcd's JSON ----

json range_json(const kv::KeyRange& range) {
  json made = {{"key", base64(range.begin)}};
  if (!range.end.empty()) made["range_end"] = base64(range.end);
  return made;
}
json request_of(const kv::RangeOperation& operation) {
  json made = range_json(operation.range);
  made["limit"] = operation.limit;
  made["keys_only"] = operation.keys_only;
  made["count_only"] = operation.count_only;
  if (operation.revision) made["revision"] = operation.revision.value + kOffset;
  return made;
}
json request_of(const kv::PutOperation& operation) {
  return {{"key", base64(operation.key)},
          {"value", base64(operation.value)},
          {"prev_kv", operation.previous},
          {"lease", operation.lease.value}};
}
json request_of(const kv::DeleteOperation& operation) {
  json made = range_json(operation.range);
  made["prev_kv"] = operation.previous;
  return made;
}
json request_of(const kv::Compare& compare) {
  static const char* const kResults[] = {"EQUAL", "NOT_EQUAL", "LESS", "GREATER"};
  json made = {{"key", base64(compare.key)},
               {"result", kResults[static_cast<int>(compare.result)]}};
  const std::uint64_t revision = compare.number == 0 ? 0 : compare.number + kOffset;
  switch (compare.target) {
    case kv::CompareTarget::kVersion:
      made.update({{"target", "VERSION"}, {"version", compare.number}});
      break;
    case kv::CompareTarget::kCreateRevision:
      made.update({{"target", "CREATE"}, {"create_revision", revision}});
      break;
    case kv::CompareTarget::kModifyRevision:
      made.update({{"target", "MOD"}, {"mod_revision", revision}});
      break;
    case kv::CompareTarget::kLease:
      made.update({{"target", "LEASE"}, {"lease", compare.number}});
      break;
    default:
      made.update({{"target", "VALUE"}, {"value", base64(compare.value)}});
  }
  return made;
}
json list_of(const std::vector<kv::Operation>& operations) {
  json list = json::array();
  for (const kv::Operation& operation : operations) {
    if (const auto* put = std::get_if<kv::PutOperation>(&operation))
      list.push_back({{"request_put", request_of(*put)}});
    if (const auto* range = std::get_if<kv::RangeOperation>(&operation))
      list.push_back({{"request_range", request_of(*range)}});
  }
  return list;
}

// ---- What both say, in one form ----

std::string number(const json& from, const char* name) {
  return from.contains(name) ? from.at(name).get<std::string>() : "0";
}
std::string revision_text(std::uint64_t ours) {
  return std::to_string(ours == 0 ? 0 : ours + kOffset);
}
std::string item_text(const json& item) {
  return item.value("key", "") + "=" + item.value("value", "") + "@" +
         number(item, "create_revision") + "," + number(item, "mod_revision") + "," +
         number(item, "version") + "," + number(item, "lease") + " ";
}
std::string item_text(const kv::KeyValue& item) {
  return base64(item.key) + "=" + base64(item.value) + "@" +
         revision_text(item.create_revision.value) + "," +
         revision_text(item.modify_revision.value) + "," + std::to_string(item.version) + "," +
         std::to_string(item.lease.value) + " ";
}
std::string result_text(const json& result) {
  std::string text;
  if (result.contains("prev_kv")) text += "before " + item_text(result["prev_kv"]);
  for (const json& item : result.value("prev_kvs", json::array())) text += item_text(item);
  for (const json& item : result.value("kvs", json::array())) text += item_text(item);
  text += "count " + number(result, "count") + " deleted " + number(result, "deleted");
  return text + (result.value("more", false) ? " more" : "");
}
std::string result_text(const kv::OperationResult& result) {
  std::string text;
  std::uint64_t count = 0, deleted = 0;
  bool more = false;
  if (const auto* put = std::get_if<kv::PutResult>(&result)) {
    if (put->previous) text += "before " + item_text(*put->previous);
  } else if (const auto* range = std::get_if<kv::RangeResult>(&result)) {
    for (const auto& item : range->items) text += item_text(item);
    count = range->count;
    more = range->more;
  } else if (const auto* erase = std::get_if<kv::DeleteResult>(&result)) {
    for (const auto& item : erase->previous) text += item_text(item);
    deleted = erase->deleted;
  }
  text += "count " + std::to_string(count) + " deleted " + std::to_string(deleted);
  return text + (more ? " more" : "");
}

std::string error_text(const std::string& message) {
  if (message.find("has been compacted") != std::string::npos) return "error compacted";
  if (message.find("future revision") != std::string::npos) return "error future-revision";
  if (message.find("lease not found") != std::string::npos) return "error lease-not-found";
  if (message.find("lease already exists") != std::string::npos) return "error lease-exists";
  return "error " + message;
}

std::string ask(Etcd& etcd, const kv::Transaction& transaction) {
  json reply;
  const auto revision = [&] {
    return " revision " + number(reply.value("header", json()), "revision");
  };
  const auto one = [&](const char* path, const json& body) {
    reply = etcd.post(path, body);
    return reply.contains("error") ? error_text(reply["error"].get<std::string>())
                                   : result_text(reply) + revision();
  };
  if (transaction.compares.empty() && transaction.then.size() == 1 &&
      transaction.otherwise.empty()) {
    const kv::Operation& only = transaction.then.front();
    if (const auto* put = std::get_if<kv::PutOperation>(&only))
      return one("/v3/kv/put", request_of(*put));
    if (const auto* range = std::get_if<kv::RangeOperation>(&only))
      return one("/v3/kv/range", request_of(*range));
    if (const auto* erase = std::get_if<kv::DeleteOperation>(&only))
      return one("/v3/kv/deleterange", request_of(*erase));
    if (const auto* compact = std::get_if<kv::CompactOperation>(&only))
      return one("/v3/kv/compaction", {{"revision", compact->revision.value + kOffset}});
    if (const auto* grant = std::get_if<kv::GrantOperation>(&only))
      return one("/v3/lease/grant", {{"TTL", grant->ttl_ms / 1000}, {"ID", grant->lease.value}});
    return one("/v3/lease/revoke", {{"ID", std::get<kv::RevokeOperation>(only).lease.value}});
  }
  json body = {{"compare", json::array()},
               {"success", list_of(transaction.then)},
               {"failure", list_of(transaction.otherwise)}};
  for (const kv::Compare& compare : transaction.compares)
    body["compare"].push_back(request_of(compare));
  reply = etcd.post("/v3/kv/txn", body);
  if (reply.contains("error")) return error_text(reply["error"].get<std::string>());
  std::string text = reply.value("succeeded", false) ? "succeeded: " : "failed: ";
  for (const json& response : reply.value("responses", json::array()))
    for (const auto& [name, result] : response.items()) text += result_text(result) + "; ";
  return text + revision();
}

std::string ask(net::Loop& loop, client::Client& holdfast, const kv::Transaction& transaction,
                std::uint64_t* revision) {
  client::Outcome outcome;
  outcome.status = {base::Code::kInternal, "no answer"};
  auto promise = kv::writes(transaction) ? holdfast.write(transaction) : holdfast.read(transaction);
  (void)loop.wait(promise.then([&](client::Outcome&& told) { outcome = std::move(told); }), 20'000);
  if (!outcome.status.is_ok())
    return "error " + std::string(base::traits(outcome.status.code()).name);
  *revision = outcome.result.revision.value;
  const std::string at = " revision " + std::to_string(*revision + kOffset);
  const bool plain =
      transaction.compares.empty() && transaction.then.size() == 1 && transaction.otherwise.empty();
  if (plain) return result_text(outcome.result.results.at(0)) + at;
  std::string text = outcome.result.succeeded ? "succeeded: " : "failed: ";
  for (const auto& result : outcome.result.results) text += result_text(result) + "; ";
  return text + at;
}

/// What is meant to differ: a lease that is revoked says how many keys went, and no revision of
/// etcd's lease replies counts.
std::string without_revision(const std::string& text) {
  return text.substr(0, text.find("count"));
}

TEST(EtcdDifferential, TheSameCallsGiveTheSameReplies) {
  Nodes nodes(1);
  ASSERT_TRUE(nodes.wait_ready());
  net::Loop loop;
  Etcd etcd(loop);
  ASSERT_TRUE(etcd.ready()) << "etcd does not start: " << HOLDFAST_ETCD
                            << "; run scripts/setup tests";
  client::Options options;
  options.endpoints = nodes.endpoints();
  auto holdfast = client::Client::make(loop, options).value();
  Calls made(20261130);
  std::map<std::string, std::uint64_t> met;
  for (std::uint64_t i = 0; i < calls(); ++i) {
    const kv::Transaction call = made.next();
    std::string theirs = ask(etcd, call);
    std::string ours = ask(loop, *holdfast, call, &made.revision);
    const bool lease = std::holds_alternative<kv::GrantOperation>(
                           call.then.empty() ? kv::Operation() : call.then[0]) ||
                       std::holds_alternative<kv::RevokeOperation>(
                           call.then.empty() ? kv::Operation() : call.then[0]);
    if (lease) {
      theirs = without_revision(theirs);
      ours = without_revision(ours);
    }
    ASSERT_EQ(ours, theirs) << "call " << i;
    ++met[theirs.starts_with("error") ? theirs : theirs.substr(0, theirs.find(' '))];
  }
  for (const char* what : {"error compacted", "error future-revision", "error lease-not-found",
                           "error lease-exists", "succeeded:", "failed:", "before"})
    EXPECT_GT(met[what], calls() / 1000) << what;
}

}  // namespace
}  // namespace cluster
