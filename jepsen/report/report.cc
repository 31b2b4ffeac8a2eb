#include "jepsen/report/report.h"

namespace jepsen {

base::Status write_report(const std::string&, const History&, const Judgement&) {
  return base::Status::ok();
}

}  // namespace jepsen
