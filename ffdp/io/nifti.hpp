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

/// The NIfTI intents that are used here; a file may have any other number.
constexpr int intent_label = 1002;
constexpr int intent_displacement = 1006;  ///< RAS vectors, as ITK 5.4 reads and writes it
constexpr int intent_vector = 1007;        ///< LPS vectors, as in ANTs' warps

/// How many numbers a file has at each voxel: volumes of a time series, components of a vector.
struct Series {
  std::int64_t volumes = 1, components = 1;
  double time_step = 1, time_offset = 0;  ///< [time_unit]
  int time_unit = 8;                      ///< NIfTI's code: 0 unknown, 8 s, 16 ms, 24 us, 32 Hz...
  int intent = 0;
  friend bool operator==(const Series&, const Series&) = default;
};

/// The content of the header of a NIfTI-1 or -2, MetaImage or NRRD file. Sizes have been checked
/// against the size of the file.
struct NiftiInfo {
  std::string path;
  std::string data_path;       ///< the file with the voxels: path, or the .img of a pair
  std::string kind = "NIfTI";  ///< or "MetaImage", "NRRD"
  std::string unsupported;     ///< "RGB24" and so on, if voxels cannot be read; else empty
  int version = 1;             ///< 1 or 2
  bool compressed = false;
  bool big_endian = false;
  int dimension = 3;                                      ///< dim[0]: number of axes
  std::array<std::int64_t, 7> dims{1, 1, 1, 1, 1, 1, 1};  ///< x, y, z, t, component, ...
  Grid grid;                                              ///< as ITK 5.4 decides, LPS mm
  GridSource grid_source = GridSource::spacing_only;
  DataType type = DataType::float32;
  bool interleaved = false;               ///< the components of a voxel are adjacent in the file
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
  /// A type that holds every value: the stored one, or float32 if values are scaled.
  DataType value_type() const {
    if (!scaled()) return type;
    return type == DataType::float64 ? type : DataType::float32;
  }
};

/// 2 if a file with this grid is 2-D, as in ITK: one slice at z = 0 with its normal along z;
/// else 3. So an oblique or shifted slice keeps its place in space.
int file_dimension(const Grid& grid);

/// Whether the name ends in .nii or .nii.gz, in upper or lower case, so that NIfTI is written.
bool is_nifti_name(const std::string& path);
/// Whether a file holds NIfTI, MetaImage or NRRD, or is part of a .hdr/.img pair, whatever its
/// name. Throws IoError if it cannot be read.
bool is_nifti(const std::string& path);

/// Reads and checks the header of a single file (NIfTI; MetaImage or NRRD with the voxels in the
/// same or another file) or of a .hdr/.img pair, by either name. Throws IoError if the file is
/// missing, truncated, of another format, too small for the size that its header says, or has an
/// axis of size 0. Nothing of the size in the header is allocated before this check.
NiftiInfo read_info(const std::string& path);
/// Throws IoError unless the file holds one scalar image of real numbers.
void require_scalar(const NiftiInfo& info);

class ByteSource;

/// An open NIfTI file. Reading parts in the order of the file takes one pass over it, even if it is
/// compressed.
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
  /// The voxels of `box` (z, y, x) of volume `volume`, as T. If T is an integer, a value that is
  /// not a whole number in its range is an IoError, so that labels are exact. NaN and Inf are kept.
  /// Defined for all types of DataType.
  template <class T>
  Field<T> read_box(const Box& box, std::int64_t volume);
  /// The same, for the box that `out` is stored over, which has no gaps between rows and planes.
  template <class T>
  void read_into(std::int64_t volume, View<T> out);
  /// One whole volume.
  template <class T>
  Image<T> read_volume(std::int64_t volume);

 private:
  std::unique_ptr<ByteSource> source_;
  NiftiInfo info_;
};

/// One volume of a scalar file. For several, use NiftiReader.
template <class T>
Image<T> read_volume(const NiftiInfo& info, std::int64_t volume) {
  return NiftiReader(info.path).read_volume<T>(volume);
}

/// The image of a file with one volume and one component; throws IoError if it has more.
template <class T>
Image<T> read_image(const std::string& path);

/// Reads a displacement field: 5-D, 3 components (2 in 2-D), intent vector (LPS mm) or displacement
/// (RAS mm: x and y are negated).
DisplacementImage read_displacement(const std::string& path);
bool is_displacement(const NiftiInfo& info);
/// Throws IoError unless the file holds a displacement field; warns if it has another intent.
void require_displacement(const NiftiInfo& info);
/// Reads a part of a displacement field.
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

/// A stretch of a file, made by NiftiPart.
struct Stretch {
  std::vector<std::byte> head;  ///< uncompressed, up to the beginning of a gzip member of the file
  Packed members;               ///< compressed if the file is
  std::vector<std::byte> tail;  ///< uncompressed, from where the last member begins
  std::int64_t values = 0;
};

/// Writes a file value by value in file order (x fastest, then y, z, volume or component), so that
/// no caller needs to hold a whole file. Nothing appears under the name before commit().
/// For an integer type, values are rounded to nearest and clamped to its range; NaN becomes 0.
class NiftiWriter {
 public:
  /// A file of the volumes and components of `series`: all volumes of the first component come
  /// first. Throws IoError if `path` cannot be written.
  NiftiWriter(const std::string& path, const Grid& grid, const Series& series,
              const WriteOptions& options);
  /// A displacement field (intent vector, LPS mm): all x, then all y, then all z; only x and y if
  /// the grid is a plain 2-D one. `options.type` must be a float type.
  static NiftiWriter displacement(const std::string& path, const Grid& grid,
                                  const WriteOptions& options);
  NiftiWriter(NiftiWriter&&) noexcept;
  NiftiWriter& operator=(NiftiWriter&&) noexcept;
  NiftiWriter(const NiftiWriter&) = delete;
  NiftiWriter& operator=(const NiftiWriter&) = delete;
  ~NiftiWriter();

  /// The number of components of a vector in the file.
  int components() const;
  template <class T>
  void write(const T* values, std::int64_t count);
  /// Position of the next value in the uncompressed file [bytes].
  std::int64_t position() const;
  /// Appends a stretch made by a NiftiPart, from position() on.
  void append(Stretch stretch);
  /// The same, but without the members of the stretch, which take `bytes`. A FileRoom writes these
  /// at the position that is returned [bytes].
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

/// Makes the bytes of a stretch of a file without its NiftiWriter, so that several ranks can make
/// parts of one file. The file gets the bytes that the writer alone would write.
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
  /// Ends the stretch and returns its bytes.
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
