// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/chain.hpp"

#include "ffdp/core/error.hpp"

namespace ffdp::cli::ants {
namespace {

transforms::CompositeTransform read_one(Context& ctx, const std::string& option,
                                        const Value& value) {
  const std::string& path = value.bracket ? value.parameters[0] : value.name;
  bool inverted = false;
  if (value.parameters.size() > 1) {
    const std::string flag = lower(value.parameters[1]);
    require((flag == "0" || flag == "1") && value.parameters.size() == 2 && value.name.empty(),
            option + " " + value.text + ": FILE, [FILE,0] or [FILE,1] is wanted");
    inverted = flag == "1";
  }
  transforms::CompositeTransform one;
  if (lower(path) == "identity") return one;
  for (const io::Transform& transform : io::read_transform(path).transforms) one.append(transform);
  if (!inverted) return one;
  require(one.as_affine() != nullptr,
          option + " " + value.text +
              ": a warp cannot be inverted on the fly; give the file of its inverse, as "
              "1InverseWarp.nii.gz, without ,1");
  return transforms::inverse(ctx, one, {});
}

}  // namespace

Chain read_chain(Context& ctx, const std::string& option, const std::vector<Value>& values) {
  Chain chain;
  for (const Value& value : values) chain.append(read_one(ctx, option, value));
  return chain;
}

}  // namespace ffdp::cli::ants
