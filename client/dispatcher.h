// The calls of one Client: queued, batched, sent to the leader, repeated where that is safe, ended
// in time. Loop thread. Its code is in three files: dispatcher.cc (queues and sending), settle.cc
// (answers), dispatcher_time.cc (time: deadlines, silence, the search for a leader).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <kj/async.h>

#include "base/random.h"
#include "client/call.h"
#include "client/channel.h"
#include "client/endpoints.h"
#include "client/options.h"
#include "client/sequences.h"
#include "net/loop.h"

namespace client {

/// Invariants:
/// - every call that was taken in is in calls_ until it is finished, exactly once;
/// - a call that is not finished is in one queue, or waits for its retry, or is in flight, or waits
///   for the session;
/// - while calls_ is not empty the tick is armed, so that no call outlives its deadline.
class Dispatcher final : private kj::TaskSet::ErrorHandler {
 public:
  static constexpr std::size_t kBatchCalls = 256;
  static constexpr std::size_t kBatchBytes = 1 << 20;
  static constexpr std::uint32_t kTickMs = 10;

  Dispatcher(net::Loop& loop, Options options);
  ~Dispatcher();

  /// Takes a call in. Its kind, transaction, consistency and session are set.
  kj::Promise<Outcome> submit(CallPtr call);
  const Endpoints& endpoints() const { return endpoints_; }
  base::SessionId session() const { return session_; }
  void forget_session() { drop_session(session_); }
  /// The next history that answers is taken for the right one.
  void forget_history() { seen_ = Header(); }
  std::uint64_t retries() const { return retries_; }

 private:
  struct Attempt {
    std::uint64_t id = 0;
    std::string address;
    std::uint64_t sent_ms = 0;
    std::vector<CallPtr> calls;
  };
  using AttemptPtr = std::shared_ptr<Attempt>;
  using Queue = std::deque<CallPtr>;

  // dispatcher.cc
  void enqueue(const CallPtr& call);
  void schedule_flush();
  void flush();
  void send_queue(Queue& queue, const std::string& address);
  std::vector<CallPtr> take_batch(Queue& queue);
  bool prepare(const CallPtr& call);
  void open_session();
  void session_opened(const Outcome& outcome, base::SessionId session);
  void drop_session(base::SessionId session);
  void send(Channel& channel, std::vector<CallPtr> calls);
  Channel* channel(const std::string& address);
  void channel_changed(Channel& channel);

  // settle.cc
  void answered(const AttemptPtr& attempt, schema::Holdfast::SubmitResults::Reader reply);
  void attempt_failed(const AttemptPtr& attempt, const kj::Exception& exception);
  void settle(const Attempt& attempt, const CallPtr& call, schema::Outcome::Reader from);
  void note(const Header& header);
  void refused(const Attempt& attempt, const CallPtr& call, const base::Status& status,
               const std::string& leader);
  void session_unknown(const CallPtr& call, const base::Status& status);
  void retry(const CallPtr& call, std::uint64_t delay_ms);
  std::uint64_t backoff_ms(const Call& call, std::uint64_t first_ms, std::uint64_t most_ms);
  void give_back(const Call& call, const base::Status& status);
  void finish(const CallPtr& call, Outcome outcome);
  void finish(const CallPtr& call, const base::Status& status);
  /// The endpoint is of no use now: its attempts are given up, its channel goes.
  void eject(const std::string& address, const std::string& reason);
  void give_up(const AttemptPtr& attempt, const base::Status& why);

  // dispatcher_time.cc
  void arm();
  void tick();
  void end_calls(std::uint64_t now);
  bool ends_early(const Call& call, std::uint64_t now) const;
  void watch_channels(std::uint64_t now);
  void watch_attempts(std::uint64_t now);
  void search(std::uint64_t now);
  void ask(Channel& channel);
  void told(const std::string& address, schema::MemberStatus::Reader status);

  void taskFailed(kj::Exception&& exception) override;
  std::uint64_t now_ms() const;

  net::Loop& loop_;
  const Options options_;
  base::Random random_;
  Endpoints endpoints_;
  std::map<std::string, std::shared_ptr<Channel>> channels_;
  std::vector<std::shared_ptr<Channel>> retired_;  // closed; destroyed by a task of their own
  std::map<std::uint64_t, CallPtr> calls_;         // by id
  std::map<std::uint64_t, AttemptPtr> attempts_;   // in flight, by id
  Queue for_leader_, for_any_;
  Queue for_session_;  // writes that wait until the session is open
  Header seen_;        // the newest of all answers
  base::SessionId session_;
  bool opening_ = false;
  std::unique_ptr<Sequences> sequences_;  // of session_
  base::ClusterId cluster_;               // from the first reply
  std::uint64_t last_id_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t last_tick_ms_ = 0;
  bool armed_ = false;
  bool flush_scheduled_ = false;
  kj::TaskSet tasks_;  // last: its tasks use all the rest
};

}  // namespace client
