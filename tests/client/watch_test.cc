// The client's side of a watch, against members that tell what the test says.
#include "client/watch.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "net/connection.h"
#include "net/loop.h"
#include "schema/client.capnp.h"
#include "schema/codec.h"

namespace client {
namespace {

using base::Revision;

/// What one connection is told, in order, once its watch is there; then silence.
struct Told {
  std::uint64_t previous = 0, revision = 0;
  base::Code code = base::Code::kOk;
  std::uint64_t resume = 0;
};
using Script = std::vector<Told>;

/// A member that serves watches by scripts, one a connection.
class WatchedMember {
 public:
  WatchedMember(net::Loop& loop, std::deque<Script> scripts)
      : loop_(loop), scripts_(std::move(scripts)) {
    listener_ = net::Listener::listen(loop, {"127.0.0.1", 0}, 100,
                                      [this](std::shared_ptr<net::Socket> socket) {
                                        net::serve_rpc(loop_, std::move(socket),
                                                       kj::heap<Member>(*this), {})
                                            .detach([](kj::Exception&&) {});
                                      })
                    .value();
  }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(listener_->port()); }
  std::vector<std::uint64_t> asked_from;  // of each watch that was added

 private:
  class Stream final : public schema::WatchStream::Server {
   public:
    Stream(WatchedMember& member, schema::WatchReceiver::Client receiver)
        : member_(member), receiver_(kj::mv(receiver)) {}
    kj::Promise<void> add(AddContext context) override {
      const auto params = context.getParams();
      member_.asked_from.push_back(params.getRequest().getFrom());
      context.getResults().setRevision(params.getRequest().getFrom() - 1);
      Script script;
      if (!member_.scripts_.empty()) script = std::move(member_.scripts_.front());
      if (!member_.scripts_.empty()) member_.scripts_.pop_front();
      auto telling = kj::heap<Telling>(receiver_, params.getWatch(), std::move(script));
      auto told = telling->run();
      told.attach(kj::mv(telling)).detach([](kj::Exception&&) {});
      return kj::READY_NOW;
    }
    kj::Promise<void> cancel(CancelContext) override { return kj::READY_NOW; }

   private:
    /// The stream may be gone by then.
    struct Telling {
      Telling(schema::WatchReceiver::Client its_receiver, std::uint64_t its_watch,
              Script its_script)
          : receiver(kj::mv(its_receiver)), watch(its_watch), script(std::move(its_script)) {}
      kj::Promise<void> run() {
        if (script.empty()) return kj::READY_NOW;
        auto request = receiver.takeRequest();
        auto batch = request.initBatches(1)[0];
        batch.setWatch(watch);
        batch.setPrevious(script.front().previous);
        batch.setRevision(script.front().revision);
        batch.setCode(static_cast<std::uint16_t>(script.front().code));
        batch.setResume(script.front().resume);
        if (script.front().code == base::Code::kOk) {
          kv::Event event;
          event.item.key = "k";
          event.item.modify_revision = Revision(script.front().revision);
          schema::write(event, batch.initEvents(1)[0].initEvent());
        }
        script.erase(script.begin());
        return request.send().ignoreResult().then([this] { return run(); });
      }
      schema::WatchReceiver::Client receiver;
      std::uint64_t watch;
      Script script;
    };

    WatchedMember& member_;
    schema::WatchReceiver::Client receiver_;
  };
  class Member final : public schema::Holdfast::Server {
   public:
    explicit Member(WatchedMember& member) : member_(member) {}
    kj::Promise<void> watch(WatchContext context) override {
      context.getResults().setStream(kj::heap<Stream>(member_, context.getParams().getReceiver()));
      return kj::READY_NOW;
    }

   private:
    WatchedMember& member_;
  };

  net::Loop& loop_;
  std::deque<Script> scripts_;
  std::unique_ptr<net::Listener> listener_;
};

/// A watch from revision 5 on, over one member after the other.
class Setting {
 public:
  explicit Setting(std::deque<Script> first, std::deque<Script> second = {}) {
    members.push_back(std::make_unique<WatchedMember>(loop, std::move(first)));
    members.push_back(std::make_unique<WatchedMember>(loop, std::move(second)));
    Options options;
    options.endpoints = {members[0]->endpoint(), members[1]->endpoint()};
    options.silence_ms = 100;
    watcher = std::make_unique<Watcher>(loop, options);
  }
  void watch(std::function<kj::Promise<void>()> on_batch = [] { return kj::READY_NOW; }) {
    WatchOptions options;
    options.range = {"k", ""};
    options.from = Revision(5);
    watcher->watch(
        options,
        [this, on_batch](WatchBatch&& batch) {
          revisions.push_back(batch.revision.value);
          return on_batch();
        },
        [this](const base::Status& why, Revision at) {
          ended = why.code();
          resume = at.value;
        });
  }
  void run_for(std::uint64_t ms) {
    (void)loop.wait(loop.timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
  }
  void run_until_told(std::size_t count) {
    for (int i = 0; i < 200 && revisions.size() < count; ++i) run_for(20);
  }

  net::Loop loop;
  std::vector<std::unique_ptr<WatchedMember>> members;
  std::vector<std::uint64_t> revisions;
  base::Code ended = base::Code::kOk;
  std::uint64_t resume = 0;
  std::unique_ptr<Watcher> watcher;
};
using Froms = std::vector<std::uint64_t>;

TEST(Watcher, AGapMakesItLeaveTheMember) {
  Setting setting({Script{{4, 6}, {7, 9}}}, {Script{{6, 7}, {7, 9}}});
  setting.watch();
  setting.run_until_told(3);
  EXPECT_EQ(setting.revisions, (Froms{6, 7, 9})) << "what follows a gap is not handed on";
  EXPECT_EQ(setting.watcher->gaps(), 1u);
  EXPECT_EQ(setting.members[1]->asked_from, Froms{7}) << "resumed where it was";
}

TEST(Watcher, WhatIsToldAgainIsAGapToo) {
  Setting setting({Script{{4, 6}, {4, 6}}}, {Script{{6, 7}}});
  setting.watch();
  setting.run_until_told(2);
  EXPECT_EQ(setting.revisions, (Froms{6, 7}));
  EXPECT_EQ(setting.watcher->gaps(), 1u);
}

TEST(Watcher, AMemberThatFallsSilentIsLeft) {
  Setting setting({Script{{4, 6}}}, {Script{{6, 8}}});
  setting.watch();
  setting.run_until_told(2);
  EXPECT_EQ(setting.revisions, (Froms{6, 8}));
  EXPECT_EQ(setting.watcher->gaps(), 0u);
  EXPECT_GE(setting.watcher->resumed(), 1u);
}

TEST(Watcher, AMemberThatCanNotGoOnIsLeft) {
  Setting setting({Script{{4, 6}, {6, 6, base::Code::kLagging, 7}}}, {Script{{6, 8}}});
  setting.watch();
  setting.run_until_told(2);
  EXPECT_EQ(setting.revisions, (Froms{6, 8}));
  EXPECT_EQ(setting.ended, base::Code::kOk);
}

TEST(Watcher, WhatWasCompactedEndsItAndSaysWhereToGoOn) {
  Setting setting({Script{{4, 6}, {6, 6, base::Code::kCompacted, 40}}});
  setting.watch();
  for (int i = 0; i < 100 && setting.ended == base::Code::kOk; ++i) setting.run_for(20);
  EXPECT_EQ(setting.ended, base::Code::kCompacted);
  EXPECT_EQ(setting.resume, 40u);
  EXPECT_EQ(setting.revisions, Froms{6});
  EXPECT_EQ(setting.watcher->size(), 0u);
}

TEST(Watcher, ASlowCallbackGetsOneBatchAtATime) {
  Setting setting({Script{{4, 6}, {6, 7}, {7, 8}, {8, 9}}}, {Script{}});
  auto paf = std::make_shared<std::vector<kj::Own<kj::PromiseFulfiller<void>>>>();
  setting.watch([paf]() -> kj::Promise<void> {
    auto one = kj::newPromiseAndFulfiller<void>();
    paf->push_back(kj::mv(one.fulfiller));
    return kj::mv(one.promise);
  });
  setting.run_until_told(1);
  setting.run_for(100);
  EXPECT_EQ(setting.revisions, Froms{6});
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(paf->size(), i + 1);
    (*paf)[i]->fulfill();
    setting.run_for(20);
  }
  EXPECT_EQ(setting.revisions, (Froms{6, 7, 8, 9}));
}

}  // namespace
}  // namespace client
