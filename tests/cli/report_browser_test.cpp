// SPDX-License-Identifier: Apache-2.0
// The page in a real browser: it loads without errors and network, its controls work, its numbers
// are those of the record. Skipped, visibly, where there is no Chromium.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/cli/report_page.hpp"

#include <gtest/gtest.h>

namespace ffdp {
namespace {

using nlohmann::json;

/// Catches what goes wrong, before the page's own script runs.
constexpr const char* catcher = R"js(<script>
window.faults = [];
addEventListener("error", e => faults.push(String(e.message)));
addEventListener("unhandledrejection", e => faults.push(String(e.reason)));
for (const kind of ["error", "warn"]) console[kind] = (...words) => faults.push(kind + ": " + words.join(" "));
</script></head>)js";

/// Uses the page as a person does and leaves what it saw as JSON in the document.
constexpr const char* visitor = R"js(<script>
(async () => {
  const wait = ms => new Promise(done => setTimeout(done, ms));
  while (!document.body.dataset.ready && !faults.length) await wait(20);
  const get = id => document.getElementById(id);
  const set = (id, v) => { typeof v === "boolean" ? get(id).checked = v : get(id).value = v; get(id).dispatchEvent(new Event("input", { bubbles: true })); };
  const canvas = get("viewer") && get("viewer").querySelector("canvas");
  const copy = document.createElement("canvas"), reader = copy.getContext("2d", { willReadFrequently: true });
  const pixels = () => {
    copy.width = canvas.width; copy.height = canvas.height;
    reader.drawImage(canvas, 0, 0);
    return reader.getImageData(0, 0, copy.width, copy.height).data;
  };
  const hash = () => pixels().reduce((h, v) => (h * 31 + v) >>> 0, 7);
  const count = (r, g, b) => { const p = pixels(); let n = 0; for (let i = 0; i < p.length; i += 4) n += p[i] === r && p[i + 1] === g && p[i + 2] === b; return n; };
  const seen = { faults };
  try {
    seen.swipe = [0, 50, 100].map(v => { set("swipe", v); return hash(); });
    set("swipe", 50);
    const box = canvas.getBoundingClientRect();
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + 0.25 * box.width, clientY: box.top + 9, buttons: 1 }));
    seen.dragged = Number(get("swipe").value);
    set("view", "fixed"); seen.fixed = hash();
    set("view", "other"); seen.warped = hash();
    if (get("other").options.length > 1) { set("other", "before"); seen.before = hash(); set("other", "warped"); }
    set("view", "flicker");
    const flickered = new Set();
    for (let i = 0; i < 20; ++i) { flickered.add(hash()); await wait(200); }
    seen.flickered = flickered.size;
    set("view", "fixed");
    seen.yellow = [count(255, 212, 0)]; set("edges", true); seen.yellow.push(count(255, 212, 0)); set("edges", false);
    seen.orange = [count(255, 122, 24)]; set("labels", true); seen.orange.push(count(255, 122, 24)); set("labels", false);
    const range = get("viewer").querySelector("input[type=range]");
    if (range) { const at = hash(); range.value = 0; range.dispatchEvent(new Event("input")); seen.moved = at !== hash(); range.value = 1; range.dispatchEvent(new Event("input")); }
    canvas.dispatchEvent(new MouseEvent("mousemove", { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }));
    seen.readout = get("readout").textContent;
    seen.cells = [...document.querySelectorAll("td[data-path]")].map(td => ({ path: td.dataset.path, value: JSON.parse(td.dataset.value), text: td.textContent }));
    seen.checks = [...document.querySelectorAll("#checks li")].map(li => ({ name: li.dataset.check, verdict: li.dataset.verdict }));
    seen.curves = document.querySelectorAll("#costs svg polyline").length;
    seen.maps = document.querySelectorAll("#maps canvas").length;
    seen.letters = [...get("viewer").querySelector(".frame").querySelectorAll(".west, .east, .north, .south")].map(e => e.textContent).join(" ");
    seen.fixedCodes = [...codes.fixed[Math.floor(pictures.length > 1 ? planes[0].members[1] : 0)]];
    seen.resources = performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:"));
  } catch (error) { faults.push(String(error)); }
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = "SEEN" + btoa(unescape(encodeURIComponent(JSON.stringify(seen)))) + "END";
  document.body.append(out);
})();
</script></body>)js";

std::string chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (test::run_command(std::string("command -v ") + name).code == 0) return name;
  return "";
}

std::string from_base64(const std::string& text) {
  std::string bytes;
  unsigned held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto digit =
        std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
            .find(c);
    if (digit == std::string_view::npos) break;
    held = (held << 6U) | static_cast<unsigned>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(static_cast<unsigned char>(held >> static_cast<unsigned>(bits)));
  }
  return bytes;
}

class ReportInABrowser : public test::RegisteredPhantom {
 protected:
  void SetUp() override {
    if (chromium().empty()) GTEST_SKIP() << "no Chromium: apt-get install chromium";
    test::RegisteredPhantom::SetUp();
  }
  /// What the visitor sees on a page.
  json visit(const std::string& page) const {
    std::string html = test::content_of(page);
    html.replace(html.find("</head>"), 7, catcher);
    html.replace(html.rfind("</body>"), 7, visitor);
    std::ofstream(folder_ / "visited.html") << html;
    const auto outcome = test::run_command("timeout 120 " + chromium() +
                                           " --headless=new --no-sandbox --disable-gpu "
                                           "--disable-dev-shm-usage --enable-logging=stderr "
                                           "--host-resolver-rules='MAP * ~NOTFOUND' "
                                           "--virtual-time-budget=60000 --window-size=1280,2400 "
                                           "--user-data-dir=" +
                                           (folder_ / "browser") + " --dump-dom file://" +
                                           (folder_ / "visited.html"));
    EXPECT_EQ(outcome.code, 0) << outcome.text.substr(0, 2000);
    EXPECT_EQ(outcome.text.find("CONSOLE"), std::string::npos)
        << outcome.text.substr(outcome.text.find("CONSOLE"), 400);
    // The visitor's own script holds the word, too: the last one is what it left.
    const auto begin = outcome.text.rfind("SEEN"), end = outcome.text.rfind("END");
    const std::string bytes = from_base64(outcome.text.substr(begin + 4, end - begin - 4));
    const json seen = json::parse(bytes, nullptr, false);
    EXPECT_TRUE(seen.is_object()) << outcome.text.substr(0, 2000);
    return seen.is_object() ? seen : json{{"faults", {"nothing was seen"}}};
  }
  /// Every number on the page is that of the record, and is written to four digits.
  void expect_numbers(const json& cells, const json& wanted) const {
    for (const json& cell : cells) {
      const json::json_pointer path(std::string("/").append(cell["path"].get<std::string>()));
      ASSERT_TRUE(wanted.contains(path)) << path;
      EXPECT_EQ(cell["value"], wanted[path]) << path;
      if (!wanted[path].is_number()) continue;
      const double number = wanted[path];
      EXPECT_NEAR(std::stod(cell["text"].get<std::string>()), number, 5.1e-4 * std::abs(number))
          << path;
    }
  }
};

TEST_F(ReportInABrowser, ShowsAVolume) {
  register_pair("--moving-labels " + file("moving_labels"));
  ASSERT_EQ(
      test::run_program("report -q " + prefix() + " --fixed-labels " + file("fixed_labels")).code,
      0);
  const json seen = visit(folder_ / "p_report.html");
  ASSERT_EQ(seen["faults"], json::array());
  EXPECT_EQ(seen["resources"], json::array());
  const json& swipe = seen["swipe"];
  EXPECT_NE(swipe[0], swipe[1]);
  EXPECT_NE(swipe[1], swipe[2]);
  EXPECT_EQ(swipe[0], seen["warped"]) << "the slider at its left shows the warped image";
  EXPECT_EQ(swipe[2], seen["fixed"]) << "the slider at its right shows the fixed image";
  EXPECT_NEAR(seen["dragged"], 25, 2);
  EXPECT_NE(seen["before"], seen["warped"]);
  EXPECT_EQ(seen["flickered"], 2);
  EXPECT_EQ(seen["yellow"][0], 0);
  EXPECT_GT(seen["yellow"][1], 50);
  EXPECT_EQ(seen["orange"][0], 0);
  EXPECT_GT(seen["orange"][1], 10);
  EXPECT_EQ(seen["moved"], true);
  EXPECT_EQ(seen["letters"], "R L A P");
  EXPECT_EQ(seen["curves"], record()["levels"].size() + record()["linear_levels"].size());
  EXPECT_GT(record()["linear_levels"].size(), 1U);
  EXPECT_EQ(seen["maps"], 2 * (1 + 3)) << "two maps, each with a bar and three planes";
  for (const char* part : {"fixed ≈", "warped ≈", "before", "log J ≈", "mm"})
    EXPECT_NE(seen["readout"].get<std::string>().find(part), std::string::npos) << seen["readout"];
  EXPECT_GT(seen["cells"].size(), 20U);
  expect_numbers(seen["cells"], record());
  const json checks = data()["checks"];
  ASSERT_EQ(seen["checks"].size(), checks.size());
  for (std::size_t i = 0; i < checks.size(); ++i)
    EXPECT_EQ(seen["checks"][i]["verdict"], checks[i]["verdict"]) << checks[i];
}

TEST_F(ReportInABrowser, ShowsTheVoxelsOfTheFile) {
  register_pair("--no-deformable --report");
  const json seen = visit(folder_ / "p_report.html"), page = data();
  ASSERT_EQ(seen["faults"], json::array());
  const auto image = io::read_image<float>(file("fixed"));
  const json picture = page["pictures"][1], layer = page["layers"]["fixed"];
  ASSERT_EQ(picture["plane"], "axial");
  // The phantom is an axial volume: its planes are shown as they lie in the file, or turned.
  const int z = int(picture["voxel"]) - 1, ny = image.grid.size[1], nx = image.grid.size[2];
  const bool turn_x = image.grid.direction[0][0] < 0, turn_y = image.grid.direction[1][1] < 0;
  ASSERT_EQ(seen["fixedCodes"].size(), std::size_t(nx) * ny);
  double worst = 0;
  for (int y = 0; y < ny; ++y)
    for (int x = 0; x < nx; ++x) {
      const double code = seen["fixedCodes"][std::size_t(y) * nx + x], lo = layer["lo"],
                   hi = layer["hi"];
      const float value = image.data.view()(z, turn_y ? ny - 1 - y : y, turn_x ? nx - 1 - x : x);
      const double want = 1 + 254 * std::clamp((value - lo) / (hi - lo), 0.0, 1.0);
      worst = std::max(worst, std::abs(code - want));
    }
  EXPECT_LE(worst, 0.51);
}

TEST_F(ReportInABrowser, ShowsASlice) {
  test::write_slice(file("fixed"), folder_ / "f.nii.gz");
  test::write_slice(file("moving"), folder_ / "m.nii.gz");
  register_files(folder_ / "f.nii.gz", folder_ / "m.nii.gz", "--report");
  const json seen = visit(folder_ / "p_report.html");
  ASSERT_EQ(seen["faults"], json::array());
  EXPECT_NE(seen["swipe"][0], seen["swipe"][2]);
  EXPECT_EQ(seen["letters"], "-x +x -y +y");
  expect_numbers(seen["cells"], record());
}

}  // namespace
}  // namespace ffdp
