// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "cli/recipe.hpp"
#include "tests/fuzz/fuzz_file.hpp"
#include <nlohmann/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ffdp;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto recipe = nlohmann::json::parse(text, nullptr, false, true);
  const registration::Config config = registration::preset("default");
  fuzz::read_or_refuse([&] {
    if (!recipe.is_discarded()) registration::validate(cli::from_json(config, recipe, "recipe"));
  });
  fuzz::read_or_refuse([&] { registration::validate(cli::with_setting(config, text)); });
  return 0;
}
