// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "ffdp/io/itk_parameters.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp::io {

/// Parsers of text formats. Each returns nothing if `content` is not of its format. Internal to
/// read_transform.
std::optional<TransformFile> parse_insight_text(const std::string& path,
                                                const std::string& content);
std::optional<TransformFile> parse_lta(const std::string& path, const std::string& content);
std::optional<TransformFile> parse_xfm(const std::string& path, const std::string& content);
std::optional<TransformFile> parse_4x4(const std::string& path, const std::string& content);

/// "#Insight Transform File V1.0" with one transform.
std::string make_insight_text(const ItkParameters& itk);

}  // namespace ffdp::io
