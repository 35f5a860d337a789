// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ffdp/core/error.hpp"
#include "ffdp/io/byte_sink.hpp"
#include "ffdp/io/nifti_header.hpp"

namespace ffdp::io {
namespace {

template <class D>
D round_and_clamp(double value) {
  if (std::isnan(value)) return 0;
  const double rounded = std::round(value);
  if (rounded <= static_cast<double>(std::numeric_limits<D>::min()))
    return std::numeric_limits<D>::min();
  if (rounded >= static_cast<double>(std::numeric_limits<D>::max()))
    return std::numeric_limits<D>::max();
  return static_cast<D>(rounded);
}

template <class D, class T>
D stored_value(T value, double slope, double intercept, bool scaled) {
  if constexpr (std::is_integral_v<D> && std::is_integral_v<T>)
    if (!scaled) {
      if (std::in_range<D>(value)) return static_cast<D>(value);
      return std::cmp_less(value, 0) ? std::numeric_limits<D>::min()
                                     : std::numeric_limits<D>::max();
    }
  const double real =
      scaled ? (static_cast<double>(value) - intercept) / slope : static_cast<double>(value);
  if constexpr (std::is_floating_point_v<D>)
    return static_cast<D>(real);
  else
    return round_and_clamp<D>(real);
}

int compression_of(const std::string& path, const WriteOptions& options) {
  const bool gzip = path.ends_with(".gz") || path.ends_with(".GZ");
  return gzip ? std::max(options.compression_level, 1) : 0;
}

}  // namespace

struct NiftiWriter::State {
  HeaderContent content;
  ByteSink sink;
  std::int64_t expected = 0, written = 0;  ///< [values]
  std::int64_t begin = 0;                  ///< of the values in the file [bytes]
  std::string path;

  State(const std::string& name, HeaderContent header, const WriteOptions& options)
      : content(std::move(header)),
        sink(name, compression_of(name, options), options.threads),
        expected(content.grid.domain().volume() * content.series.volumes *
                 content.series.components),
        path(name) {
    const std::string bytes = make_header(content);
    sink.write(bytes.data(), bytes.size());
    begin = std::ssize(bytes);
  }
};

namespace {
HeaderContent content_of(const std::string& path, const Grid& grid, const WriteOptions& options) {
  if (!is_nifti_name(path))
    throw IoError(path + ": cannot be written: the name must end in .nii or .nii.gz");
  require(!grid.domain().empty(), path + ": the grid " + to_string(grid.domain()) + " is empty");
  HeaderContent content;
  content.grid = grid;
  content.type = options.type;
  content.slope = options.slope;
  content.intercept = options.intercept;
  content.description = options.description;
  return content;
}
}  // namespace

NiftiWriter::NiftiWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
NiftiWriter::NiftiWriter(NiftiWriter&&) noexcept = default;
NiftiWriter& NiftiWriter::operator=(NiftiWriter&&) noexcept = default;
NiftiWriter::~NiftiWriter() = default;

NiftiWriter::NiftiWriter(const std::string& path, const Grid& grid, const Series& series,
                         const WriteOptions& options) {
  HeaderContent content = content_of(path, grid, options);
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  for (const std::int64_t count : {series.volumes, series.components})
    require(count > 0 && count <= most, path + ": " + std::to_string(count) +
                                            " volumes or components, 1 to " + std::to_string(most) +
                                            " are possible");
  content.series = series;
  state_ = std::make_unique<State>(path, std::move(content), options);
}

NiftiWriter NiftiWriter::displacement(const std::string& path, const Grid& grid,
                                      const WriteOptions& options) {
  HeaderContent content = content_of(path, grid, options);
  require(!is_integer(options.type), path + ": displacements as " + to_string(options.type) +
                                         ", float32 or float64 is wanted");
  content.series.components = file_dimension(grid);
  content.series.intent = intent_vector;
  return NiftiWriter(std::make_unique<State>(path, std::move(content), options));
}

int NiftiWriter::components() const { return static_cast<int>(state_->content.series.components); }

namespace {

/// Hands the bytes of the values as a file stores them to put(data, bytes), piece by piece.
template <class Kind, class T, class Put>
void for_stored(const Kind& kind, const T* values, std::int64_t count, Put&& put) {
  const double slope = kind.slope, intercept = kind.intercept;
  const bool scaled = slope != 1 || intercept != 0;
  visit(kind.type, [&](auto zero) {
    using D = decltype(zero);
    if constexpr (std::is_same_v<D, T>)
      if (!scaled) return put(values, static_cast<std::size_t>(count) * sizeof(T));
    D chunk[8192];
    while (count > 0) {
      const std::int64_t n = std::min<std::int64_t>(count, std::size(chunk));
      for (std::int64_t i = 0; i < n; ++i)
        chunk[i] = stored_value<D>(values[i], slope, intercept, scaled);
      put(chunk, static_cast<std::size_t>(n) * sizeof(D));
      values += n;
      count -= n;
    }
  });
}

}  // namespace

void NiftiWriter::count(std::int64_t values) {
  State& s = *state_;
  require(s.written + values <= s.expected, s.path + ": " + std::to_string(s.written + values) +
                                                " values written, " + std::to_string(s.expected) +
                                                " are wanted");
  s.written += values;
}

template <class T>
void NiftiWriter::write(const T* values, std::int64_t number) {
  count(number);
  for_stored(state_->content, values, number,
             [&](const void* data, std::size_t bytes) { state_->sink.write(data, bytes); });
}

std::int64_t NiftiWriter::position() const {
  return state_->begin + state_->written * static_cast<std::int64_t>(size_of(state_->content.type));
}

void NiftiWriter::append(Stretch stretch) {
  count(stretch.values);
  state_->sink.write(stretch.head.data(), stretch.head.size());
  if (!stretch.members.empty()) state_->sink.append(std::move(stretch.members));
  state_->sink.write(stretch.tail.data(), stretch.tail.size());
}

std::int64_t NiftiWriter::append_around(const Stretch& stretch, std::int64_t bytes) {
  count(stretch.values);
  state_->sink.write(stretch.head.data(), stretch.head.size());
  const std::int64_t offset = bytes > 0 ? state_->sink.skip(bytes) : 0;
  state_->sink.write(stretch.tail.data(), stretch.tail.size());
  return offset;
}

const std::string& NiftiWriter::temporary() const { return state_->sink.temporary(); }

struct NiftiPart::State {
  WriteOptions options;
  GzipMembers members;
  std::size_t batch;      ///< packed at once [bytes]
  std::size_t missing{};  ///< of the head [bytes]
  std::vector<std::byte> raw{};
  Stretch stretch{};

  void put(const std::byte* data, std::size_t bytes) {
    const std::size_t first = std::min(missing, bytes);
    stretch.head.insert(stretch.head.end(), data, data + first);
    missing -= first;
    raw.insert(raw.end(), data + first, data + bytes);
    if (raw.size() >= batch) pack();
  }
  /// Packs whole members.
  void pack() {
    const std::size_t whole = raw.size() / GzipMembers::member_bytes * GzipMembers::member_bytes;
    // They wait in no more memory than they fill.
    for (const auto& member : members.pack({raw.data(), whole}))
      stretch.members.emplace_back(member.begin(), member.end());
    raw.erase(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(whole));
  }
};

NiftiPart::NiftiPart(const std::string& path, const WriteOptions& options)
    : state_(new State{options, GzipMembers(path, compression_of(path, options), options.threads),
                       ByteSink::batch_bytes(options.threads)}) {}
NiftiPart::NiftiPart(NiftiPart&&) noexcept = default;
NiftiPart& NiftiPart::operator=(NiftiPart&&) noexcept = default;
NiftiPart::~NiftiPart() = default;

void NiftiPart::begin(std::int64_t position) {
  constexpr std::size_t member = GzipMembers::member_bytes;
  state_->missing = (member - static_cast<std::size_t>(position) % member) % member;
  state_->stretch = {};
}

template <class T>
void NiftiPart::write(const T* values, std::int64_t count) {
  State& s = *state_;
  s.stretch.values += count;
  for_stored(s.options, values, count, [&](const void* data, std::size_t bytes) {
    s.put(static_cast<const std::byte*>(data), bytes);
  });
}

Stretch NiftiPart::take() {
  State& s = *state_;
  s.pack();
  s.stretch.tail = std::exchange(s.raw, {});
  return std::exchange(s.stretch, {});
}

void NiftiWriter::commit() {
  require(state_->written == state_->expected,
          state_->path + ": " + std::to_string(state_->written) + " values written, " +
              std::to_string(state_->expected) + " are wanted");
  state_->sink.commit();
}

template <class T>
void write_image(const std::string& path, const Image<T>& image, const WriteOptions& options) {
  NiftiWriter writer(path, image.grid, {}, options);
  writer.write(static_cast<const T*>(image.data.data()), image.data.size());
  writer.commit();
}

void write_displacement(const std::string& path, const DisplacementImage& displacement,
                        const WriteOptions& options) {
  NiftiWriter writer = NiftiWriter::displacement(path, displacement.grid, options);
  const std::int64_t voxels = displacement.grid.domain().volume();
  for (int c = 0; c < writer.components(); ++c)
    writer.write(static_cast<const float*>(displacement.data.data()) + c * voxels, voxels);
  writer.commit();
}

template void NiftiWriter::write(const std::uint8_t*, std::int64_t);
template void NiftiWriter::write(const std::int8_t*, std::int64_t);
template void NiftiWriter::write(const std::uint16_t*, std::int64_t);
template void NiftiWriter::write(const std::int16_t*, std::int64_t);
template void NiftiWriter::write(const std::uint32_t*, std::int64_t);
template void NiftiWriter::write(const std::int32_t*, std::int64_t);
template void NiftiWriter::write(const std::uint64_t*, std::int64_t);
template void NiftiWriter::write(const std::int64_t*, std::int64_t);
template void NiftiWriter::write(const float*, std::int64_t);
template void NiftiWriter::write(const double*, std::int64_t);
template void NiftiPart::write(const std::uint8_t*, std::int64_t);
template void NiftiPart::write(const std::int8_t*, std::int64_t);
template void NiftiPart::write(const std::uint16_t*, std::int64_t);
template void NiftiPart::write(const std::int16_t*, std::int64_t);
template void NiftiPart::write(const std::uint32_t*, std::int64_t);
template void NiftiPart::write(const std::int32_t*, std::int64_t);
template void NiftiPart::write(const std::uint64_t*, std::int64_t);
template void NiftiPart::write(const std::int64_t*, std::int64_t);
template void NiftiPart::write(const float*, std::int64_t);
template void NiftiPart::write(const double*, std::int64_t);
template void write_image(const std::string&, const Image<std::uint8_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<std::int8_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<std::uint16_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<std::int16_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<std::uint32_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<std::int32_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<std::uint64_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<std::int64_t>&, const WriteOptions&);
template void write_image(const std::string&, const Image<float>&, const WriteOptions&);
template void write_image(const std::string&, const Image<double>&, const WriteOptions&);

}  // namespace ffdp::io
