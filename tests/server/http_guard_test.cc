#include "server/http_guard.h"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(HttpGuard, LetsRequestsWithoutABodyPass) {
  EXPECT_EQ(HeadVerdict::kPasses, judge("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(HeadVerdict::kPasses, judge("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(HeadVerdict::kPasses, judge("GET / HTTP/1.1\r\nX-Content-Length: 5\r\n\r\n"));
}

TEST(HttpGuard, RefusesEveryOtherLength) {
  for (const char* header :
       {"Content-Length: 5", "content-length: -1", "Content-Length: 00", "Content-Length: +0",
        "CONTENT-LENGTH:", "Content-Length : 5", "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 5", "Content-Length: 0, 0",
        "Transfer-Encoding: chunked", "transfer-encoding : identity", "Transfer-Encoding:\tx"}) {
    EXPECT_EQ(HeadVerdict::kRefused, judge(std::string("GET / HTTP/1.1\r\n") + header + "\r\n\r\n"))
        << header;
  }
}

TEST(HttpGuard, SeesWhichRequestIsTheLast) {
  EXPECT_EQ(HeadVerdict::kPassesLast, judge("GET / HTTP/1.1\r\nconnection: Close\r\n\r\n"));
  EXPECT_EQ(HeadVerdict::kPassesLast, judge("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(HeadVerdict::kPasses, judge("GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(HttpGuard, RefusesWhatTwoParsersCouldReadDifferently) {
  for (const std::string& head :
       {std::string("GET / HTTP/1.1\nContent-Length: 5\r\n\r\n"), std::string("\r\n"),
        std::string("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), std::string("\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nA: b\rContent-Length: 5\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"), std::string("GET / HTTP/1.1\r\n"),
        std::string("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 23), std::string()}) {
    EXPECT_EQ(HeadVerdict::kRefused, judge(head)) << head;
  }
}

}  // namespace
}  // namespace server
