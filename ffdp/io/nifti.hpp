// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ffdp/core/image.hpp"
#include "ffdp/io/datatype.hpp"
#include "ffdp/io/gzip_members.hpp"

namespace ffdp::io {

/// Which part of a NIfTI header the grid was taken from.
enum class GridSource { sform, qform, spacing_only };

/// NIfTI intents that matter here; the file may hold any other number.
constexpr int intent_label = 1002;
constexpr int intent_displacement = 1006;  ///< RAS vectors, as ITK 5.4 reads and writes it
constexpr int intent_vector = 1007;        ///< ANTs' warps: LPS vectors, stored unconverted

/// What a file holds at each place besides one number: a series in time, components of a vector.
struct Series {
  std::int64_t volumes = 1, components = 1;
  double time_step = 1, time_offset = 0;  ///< [time_unit]
  int time_unit = 8;                      ///< NIfTI's code: 0 unknown, 8 s, 16 ms, 24 us, 32 Hz...
  int intent = 0;
  friend bool operator==(const Series&, const Series&) = default;
};

/// What the header of a NIfTI-1 or -2 file says, or of a MetaImage or NRRD file. Sizes have been
/// checked against the file.
struct NiftiInfo {
  std::string path;
  std::string data_path;       ///< the file with the voxels: path, or the .img of a pair
  std::string kind = "NIfTI";  ///< or "MetaImage", "NRRD"
  std::string unsupported;     ///< "RGB24" and so on, where voxels cannot be read; else empty
  int version = 1;             ///< 1 or 2
  bool compressed = false;
  bool big_endian = false;
  int dimension = 3;                                      ///< dim[0]: number of axes
  std::array<std::int64_t, 7> dims{1, 1, 1, 1, 1, 1, 1};  ///< x, y, z, t, component, ...
  Grid grid;                                              ///< as ITK 5.4 decides, LPS mm
  GridSource grid_source = GridSource::spacing_only;
  DataType type = DataType::float32;
  bool interleaved = false;               ///< components lie beside each other, voxel by voxel
  double slope = 1, intercept = 0;        ///< value = slope * stored + intercept; 1, 0 where absent
  double time_step = 1, time_offset = 0;  ///< pixdim[4] and toffset [time_unit]
  int time_unit = 8;                      ///< NIfTI's code
  int intent = 0;
  int qform_code = 0, sform_code = 0;
  Affine qform, sform;  ///< index (x, y, z) to world, RAS mm, as written, whatever their codes
  std::int64_t data_offset = 0;       ///< [bytes] in the uncompressed content
  std::vector<std::string> warnings;  ///< also sent to ffdp::log when the voxels are read

  std::int64_t volumes() const { return dims[3]; }
  std::int64_t components() const { return dims[4]; }
  Series series() const {
    return {volumes(), components(), time_step, time_offset, time_unit, intent};
  }
  bool scaled() const { return slope != 1 || intercept != 0; }
  /// The type that holds every value: the stored one, or float32 where values are scaled.
  DataType value_type() const {
    if (!scaled()) return type;
    return type == DataType::float64 ? type : DataType::float32;
  }
};

/// 2 where files of a grid are 2-D ones, as ITK has them: one slice at z = 0, along z; else 3. An
/// oblique or shifted slice keeps its place in space.
int file_dimension(const Grid& grid);

/// Whether the name ends in .nii or .nii.gz, upper or lower case: what a file is written as.
bool is_nifti_name(const std::string& path);
/// Whether a file holds NIfTI, MetaImage or NRRD, or is part of a .hdr/.img pair, whatever its
/// name. Throws IoError where it cannot be read.
bool is_nifti(const std::string& path);

/// Reads and checks a header, of a single file (NIfTI; MetaImage and NRRD with voxels in it or
/// beside it) or, by either name, of a .hdr/.img pair. Throws
/// IoError (missing, truncated, not NIfTI, an axis of size 0, a file too small for what it
/// announces: nothing of that size is allocated).
NiftiInfo read_info(const std::string& path);
/// Throws IoError unless the file holds one scalar image of real numbers.
void require_scalar(const NiftiInfo& info);

class ByteSource;

/// An open NIfTI file. Parts that are read in the order in which they lie in the file cost one pass
/// over it, also where it is compressed.
class NiftiReader {
 public:
  /// Opens the file and checks the header as read_info does; sends its warnings to ffdp::log.
  explicit NiftiReader(const std::string& path);
  NiftiReader(NiftiReader&&) noexcept;
  NiftiReader& operator=(NiftiReader&&) noexcept;
  NiftiReader(const NiftiReader&) = delete;
  NiftiReader& operator=(const NiftiReader&) = delete;
  ~NiftiReader();

  const NiftiInfo& info() const { return info_; }
  /// The voxels of `box` (z, y, x) of volume `volume`, as T. An integer T takes whole numbers in
  /// its range only, so that label ids are exact; anything else is an IoError. NaN and Inf are
  /// kept. Defined for all types of DataType.
  template <class T>
  Field<T> read_box(const Box& box, std::int64_t volume);
  /// The same, of the voxels that `out` is stored over, without gaps between rows and planes.
  template <class T>
  void read_into(std::int64_t volume, View<T> out);
  /// One whole volume.
  template <class T>
  Image<T> read_volume(std::int64_t volume);

 private:
  std::unique_ptr<ByteSource> source_;
  NiftiInfo info_;
};

/// One volume of a scalar file; NiftiReader is better for several.
template <class T>
Image<T> read_volume(const NiftiInfo& info, std::int64_t volume) {
  return NiftiReader(info.path).read_volume<T>(volume);
}

/// The image of a file with one volume and one component; more is an IoError.
template <class T>
Image<T> read_image(const std::string& path);

/// A displacement field: 5-D, 3 components (2 in 2-D), intent vector (LPS mm as they are) or
/// displacement (x and y negated).
DisplacementImage read_displacement(const std::string& path);
bool is_displacement(const NiftiInfo& info);
/// Throws IoError unless the file holds a displacement field; warns where its intent is another.
void require_displacement(const NiftiInfo& info);
/// Reads a part of one.
/// @param read  reads the voxels of a component of the file into a view of that part
/// @param out   [3,z,y,x] LPS mm, component c is world axis c (x, y, z); dense over the part
void read_displacement(const NiftiInfo& info,
                       const std::function<void(std::int64_t component, View<float> to)>& read,
                       VectorView<float> out);

/// How a file is written.
struct WriteOptions {
  DataType type = DataType::float32;
  double slope = 1, intercept = 0;   ///< stored = (value - intercept) / slope
  int compression_level = 1;         ///< of .nii.gz: 1 (fast) to 12 (small)
  int threads = 1;                   ///< for compression
  std::string description = "ffdp";  ///< at most 79 characters are kept
};

/// A stretch of a file as NiftiPart makes it.
struct Stretch {
  std::vector<std::byte> head;  ///< uncompressed, up to where a gzip member begins in the file
  Packed members;               ///< compressed where the file is
  std::vector<std::byte> tail;  ///< uncompressed, from where the last member begins
  std::int64_t values = 0;
};

/// Writes a file value by value in file order (x fastest, then y, z, volume or component), so that
/// no caller needs to hold a whole file. Nothing appears under the name before commit().
/// An integer type takes values rounded to nearest and clamped to its range, NaN as 0.
class NiftiWriter {
 public:
  /// A file of volumes and, where `series` has several, components: all volumes of the first one
  /// come first. Throws IoError where `path` cannot be written.
  NiftiWriter(const std::string& path, const Grid& grid, const Series& series,
              const WriteOptions& options);
  /// A displacement field (intent vector, LPS mm): all x, then all y, then all z, 3 components or,
  /// where the grid is a plain 2-D one, 2 of them. `options.type` must be a float type.
  static NiftiWriter displacement(const std::string& path, const Grid& grid,
                                  const WriteOptions& options);
  NiftiWriter(NiftiWriter&&) noexcept;
  NiftiWriter& operator=(NiftiWriter&&) noexcept;
  NiftiWriter(const NiftiWriter&) = delete;
  NiftiWriter& operator=(const NiftiWriter&) = delete;
  ~NiftiWriter();

  /// Vectors have this many components in the file.
  int components() const;
  template <class T>
  void write(const T* values, std::int64_t count);
  /// Where the next value will lie in the uncompressed file [bytes].
  std::int64_t position() const;
  /// Appends what a NiftiPart made, from position() on.
  void append(Stretch stretch);
  /// The same of a stretch without its members, of `bytes`, which a FileRoom writes where this
  /// returns [bytes].
  std::int64_t append_around(const Stretch& stretch, std::int64_t bytes);
  /// See AtomicFile::temporary.
  const std::string& temporary() const;
  /// Ends the file; all values must have been written.
  void commit();

 private:
  struct State;
  void count(std::int64_t values);
  explicit NiftiWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Makes the bytes of a stretch of a file apart from its NiftiWriter, so that several ranks can
/// make the parts of one: the file has the bytes that the writer alone would give it.
class NiftiPart {
 public:
  /// @param path     of the file; its name says whether it is compressed
  /// @param options  those of the writer
  NiftiPart(const std::string& path, const WriteOptions& options);
  NiftiPart(NiftiPart&&) noexcept;
  NiftiPart& operator=(NiftiPart&&) noexcept;
  NiftiPart(const NiftiPart&) = delete;
  NiftiPart& operator=(const NiftiPart&) = delete;
  ~NiftiPart();

  /// Begins a stretch.
  /// @param position  of its first value in the uncompressed file (see NiftiWriter::position)
  void begin(std::int64_t position);
  template <class T>
  void write(const T* values, std::int64_t count);
  /// The bytes of the stretch, which ends here.
  Stretch take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <class T>
void write_image(const std::string& path, const Image<T>& image, const WriteOptions& options);

/// Writes `displacement` as ANTs stores warps (see NiftiWriter::displacement).
void write_displacement(const std::string& path, const DisplacementImage& displacement,
                        const WriteOptions& options);

}  // namespace ffdp::io
