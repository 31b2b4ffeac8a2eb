#include "jepsen/report/plots.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "jepsen/check/finding.h"
#include "jepsen/report/page.h"

namespace jepsen {
namespace {

constexpr double kWidth = 1000, kLeft = 46, kRight = 10;

std::string n(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", number);
  return text;
}

std::string whole(double number) {
  return std::to_string(static_cast<long>(number));
}

double in_seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

/// A drawing whose width is the run's time.
class Drawing {
 public:
  Drawing(const History& history, double height)
      : end_s_(std::max(in_seconds(history.end_ns), 0.001)), height_(height) {}

  double x(double s) const { return kLeft + s / end_s_ * (kWidth - kLeft - kRight); }
  double end_s() const { return end_s_; }
  double height() const { return height_; }
  void add(const std::string& svg) { svg_ += svg; }
  void text(double at_x, double at_y, const std::string& text, const char* more = "") {
    svg_ += "<text x=\"" + n(at_x) + "\" y=\"" + n(at_y) + "\" " + more + ">" + escaped(text) +
            "</text>\n";
  }
  void rect(double at_x, double at_y, double width, double height, const std::string& fill,
            const std::string& title = "") {
    svg_ += "<rect x=\"" + n(at_x) + "\" y=\"" + n(at_y) + "\" width=\"" + n(std::max(width, 0.5)) +
            "\" height=\"" + n(height) + "\" fill=\"" + fill + "\">" +
            (title.empty() ? "" : "<title>" + escaped(title) + "</title>") + "</rect>\n";
  }
  void line(double x1, double y1, double x2, double y2) {
    svg_ += "<line x1=\"" + n(x1) + "\" y1=\"" + n(y1) + "\" x2=\"" + n(x2) + "\" y2=\"" + n(y2) +
            "\" stroke=\"var(--line)\"/>\n";
  }
  void bands(const std::vector<Episode>& episodes, double bottom) {
    for (const Episode& episode : episodes) {
      const double from = x(in_seconds(episode.begin_ns)), to = x(in_seconds(episode.end_ns));
      rect(from, 0, to - from, bottom, "var(--band)",
           episode.fault + " of " + episode.targets + ", " + n(in_seconds(episode.begin_ns)) +
               " to " + n(in_seconds(episode.end_ns)) + " s");
      text(from + 2, 11, episode.fault);
    }
  }
  void time_axis(double bottom) {
    const double step = end_s_ > 100 ? 20 : end_s_ > 40 ? 10 : end_s_ > 15 ? 5 : 1;
    for (double s = 0; s <= end_s_; s += step) {
      line(x(s), bottom, x(s), bottom + 4);
      text(x(s), bottom + 15, whole(s) + " s", "text-anchor=middle");
    }
  }
  std::string svg(const std::string& name) const {
    return "<svg viewBox=\"0 0 " + n(kWidth) + " " + n(height_) + "\" role=img aria-label=\"" +
           name + "\">\n" + svg_ + "</svg>\n";
  }

 private:
  const double end_s_, height_;
  std::string svg_;
};

const char* colour_of(End end) {
  return end == End::kOk ? "var(--ok)" : end == End::kFail ? "var(--fail)" : "var(--info)";
}

void legend(Drawing& drawing, double y) {
  constexpr std::array<std::pair<End, const char*>, 3> kEnds = {
      {{End::kOk, "ok"}, {End::kFail, "surely not"}, {End::kUnknown, "unknown"}}};
  double at = kWidth - 230;
  for (const auto& [end, name] : kEnds) {
    drawing.rect(at, y - 8, 9, 9, colour_of(end));
    drawing.text(at + 13, y, name);
    at += 75;
  }
}

}  // namespace

std::string draw_rate(const History& history, const std::vector<Episode>& episodes) {
  constexpr double kBucketS = 0.25, kHeight = 190, kBottom = 165, kTop = 22;
  Drawing drawing(history, kHeight);
  const auto buckets = static_cast<std::size_t>(drawing.end_s() / kBucketS) + 1;
  std::array<std::vector<double>, 3> counts;
  for (auto& each : counts) each.resize(buckets);
  for (const Operation& operation : history.operations) {
    if (operation.returned_ns == 0) continue;
    const auto bucket = static_cast<std::size_t>(in_seconds(operation.returned_ns) / kBucketS);
    counts[static_cast<std::size_t>(operation.end)][std::min(bucket, buckets - 1)] += 1 / kBucketS;
  }
  double most = 1;
  for (const auto& each : counts)
    most = std::max(most, *std::max_element(each.begin(), each.end()));
  drawing.bands(episodes, kBottom);
  const auto y = [&](double rate) { return kBottom - rate / most * (kBottom - kTop); };
  for (const double part : {0.0, 0.5, 1.0}) {
    drawing.line(kLeft, y(most * part), kWidth - kRight, y(most * part));
    drawing.text(kLeft - 4, y(most * part) + 4, whole(most * part), "text-anchor=end");
  }
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    std::string points;
    for (std::size_t i = 0; i < buckets; ++i)
      points += n(drawing.x(static_cast<double>(i) * kBucketS)) + "," + n(y(counts[kind][i])) + " ";
    drawing.add("<polyline fill=none stroke-width=1.6 stroke=\"" +
                std::string(colour_of(static_cast<End>(kind))) + "\" points=\"" + points +
                "\"/>\n");
  }
  drawing.time_axis(kBottom);
  legend(drawing, 20);
  return drawing.svg("calls a second");
}

std::string draw_latency(const History& history, const std::vector<Episode>& episodes) {
  constexpr double kHeight = 230, kBottom = 205, kTop = 22;
  constexpr double kLowMs = 0.1, kDecades = 5;  // up to 10 s
  constexpr std::size_t kPoints = 4000;
  Drawing drawing(history, kHeight);
  drawing.bands(episodes, kBottom);
  const auto y = [&](double ms) {
    const double part = std::log10(std::max(ms, kLowMs) / kLowMs) / kDecades;
    return kBottom - std::min(part, 1.0) * (kBottom - kTop);
  };
  for (const double ms : {0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0}) {
    drawing.line(kLeft, y(ms), kWidth - kRight, y(ms));
    drawing.text(kLeft - 4, y(ms) + 4,
                 ms >= 1000 ? whole(ms / 1000) + " s"
                 : ms < 1   ? n(ms) + " ms"
                            : whole(ms) + " ms",
                 "text-anchor=end");
  }
  const std::size_t every = history.size() / kPoints + 1;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history.operations[i];
    // Those that did not go well are all shown.
    if (operation.returned_ns == 0 || (operation.end == End::kOk && i % every != 0)) continue;
    const double ms = static_cast<double>(operation.returned_ns - operation.invoked_ns) / 1e6;
    drawing.add("<circle cx=\"" + n(drawing.x(in_seconds(operation.invoked_ns))) + "\" cy=\"" +
                n(y(ms)) + "\" r=1.4 fill=\"" + colour_of(operation.end) + "\"/>\n");
  }
  drawing.time_axis(kBottom);
  legend(drawing, 20);
  return drawing.svg("how long calls took");
}

std::string draw_leaders(const History& history, const std::vector<Episode>& episodes) {
  constexpr double kHeight = 62, kBottom = 40, kTop = 16;
  Drawing drawing(history, kHeight);
  drawing.bands(episodes, kBottom);
  std::string leader;
  std::int64_t term = 0;
  double since = 0;
  const auto draw = [&](double until) {
    if (leader.empty()) return;
    const double from = drawing.x(since), to = drawing.x(until);
    drawing.rect(from, kTop, to - from, kBottom - kTop - 4, "var(--" + leader + ")",
                 leader + " leads in term " + std::to_string(term));
    if (to - from > 60)
      drawing.text(from + 4, kTop + 14, leader + ", term " + std::to_string(term),
                   "style=\"fill: var(--panel)\"");
  };
  for (const Event& note : history.notes) {
    if (note.f != "leader") continue;
    const Value* who = note.value.find("leader");
    const Value* when = note.value.find("term");
    if (who == nullptr || when == nullptr || (who->text == leader && when->number == term))
      continue;
    draw(in_seconds(note.time_ns));
    leader = who->text;
    term = when->number;
    since = in_seconds(note.time_ns);
  }
  draw(drawing.end_s());
  drawing.time_axis(kBottom);
  return drawing.svg("who led");
}

std::string draw_witness(const History& history, const std::vector<std::uint32_t>& witness) {
  if (witness.empty()) return "";
  // Each begin and end takes the same room.
  std::map<std::uint32_t, std::size_t> places;
  std::map<std::uint32_t, std::size_t> rows;
  for (const std::uint32_t number : witness) {
    const Operation& operation = history.operations[number];
    places[operation.invoked];
    if (operation.returned != kOpen) places[operation.returned];
    rows.emplace(operation.process, rows.size());
  }
  std::size_t next = 0;
  for (auto& [place, column] : places) column = next++;
  constexpr double kRow = 34, kLeftRoom = 90;
  const double step =
      (kWidth - kLeftRoom - 30) / static_cast<double>(std::max<std::size_t>(next, 1));
  std::string svg =
      "<defs><linearGradient id=open><stop offset=0 stop-color=\"var(--info)\"/><stop offset=1 "
      "stop-color=\"var(--info)\" stop-opacity=0 /></linearGradient></defs>\n";
  const double height = kRow * static_cast<double>(rows.size()) + 16;
  for (const auto& [process, row] : rows)
    svg += "<text x=4 y=\"" + n(kRow * static_cast<double>(row) + 26) + "\">process " +
           std::to_string(process) + "</text>\n";
  for (const std::uint32_t number : witness) {
    const Operation& operation = history.operations[number];
    const bool open = operation.returned == kOpen || operation.end == End::kUnknown;
    const double from = kLeftRoom + step * static_cast<double>(places[operation.invoked]);
    const double to =
        open ? kWidth - 10 : kLeftRoom + step * static_cast<double>(places[operation.returned]);
    const double y = kRow * static_cast<double>(rows[operation.process]) + 10;
    const bool last = number == witness.back();
    const std::string text = describe(history, operation);
    svg += "<rect x=\"" + n(from) + "\" y=\"" + n(y) + "\" width=\"" + n(std::max(to - from, 6.0)) +
           "\" height=22 rx=3 fill=\"" +
           (open   ? "url(#open)"
            : last ? "var(--bad)"
                   : "var(--ok)") +
           "\" fill-opacity=.35><title>" + escaped(text) + "</title></rect>\n";
    const std::size_t begin = text.find(' ', 8);
    const std::string said = text.substr(begin == std::string::npos ? 0 : begin + 1);
    svg += "<text class=ink x=\"" + n(from + 4) + "\" y=\"" + n(y + 15) + "\">" +
           escaped(said.substr(0, said.find(", from"))) + "</text>\n";
  }
  return "<svg viewBox=\"0 0 " + n(kWidth) + " " + n(height) +
         "\" role=img aria-label=\"the contradiction\">\n" + svg + "</svg>\n";
}

}  // namespace jepsen
