// SPDX-License-Identifier: Apache-2.0
#include "cli/shard_files.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/dist/fetch.hpp"

namespace ffdp::cli {

Image<float> read_shard(dist::Comm& comm, const std::string& path) {
  const io::NiftiInfo info = io::read_info(path);
  const dist::Cut cut(comm, info.grid.domain());
  const Box own = cut.own(comm);
  if (cut.whole()) return io::read_image<float>(path);
  require(info.volumes() == 1 && info.components() == 1,
          path + ": holds " + std::to_string(info.volumes()) + " volumes of " +
              std::to_string(info.components()) + " components, one of each is wanted");
  if (!info.compressed) return {info.grid, io::NiftiReader(path).read_box<float>(own, 0)};
  Image<float> image{info.grid, {}};
  const auto bytes = [](const Field<float>& field) {
    return static_cast<std::size_t>(field.size()) * sizeof(float);
  };
  if (comm.rank() != 0) {
    image.data = Field<float>(Backend::cpu, own);
    const dist::Receive receive{0, image.data.data(), bytes(image.data)};
    comm.exchange({}, {&receive, 1});
    return image;
  }
  io::NiftiReader reader(path);
  image.data = reader.read_box<float>(own, 0);
  for (int rank = 1; rank < comm.size(); ++rank) {
    const Field<float> part = reader.read_box<float>(cut.own(rank), 0);
    const dist::Send send{rank, part.data(), bytes(part)};
    comm.exchange({&send, 1}, {});
  }
  return image;
}

ShardWriter::ShardWriter(Context& ctx, dist::Comm& comm, const std::string& path, const Grid& grid,
                         Content content, const io::WriteOptions& options)
    : ctx_(ctx), comm_(comm), cut_(comm, grid.domain()), packer_(path, options) {
  if (comm.rank() == 0) {
    if (content == Content::displacement)
      writer_.emplace(io::NiftiWriter::displacement(path, grid, options));
    else
      writer_.emplace(path, grid, io::Series{}, options);
    components_ = writer_->components();
  }
  comm.broadcast(&components_, sizeof(components_), 0);
}

/// Planes after which gzip members begin anew: those of about 1 MiB, at least one.
int ShardWriter::member_planes() const {
  const std::int64_t bytes = std::int64_t{4} * cut_.domain().size(1) * cut_.domain().size(2);
  return static_cast<int>(std::clamp<std::int64_t>(
      static_cast<std::int64_t>(io::GzipMembers::member_bytes) / bytes, 1, cut_.domain().size(0)));
}

/// Members begin at multiples of member_planes(). Planes that straddle two ranks are packed by the
/// lower one, to which the upper one sends what it lacks.
void ShardWriter::write(const MakePlanes& make) {
  const Box domain = cut_.domain();
  // Where every rank has everything, rank 0 writes.
  const Box own = cut_.whole() && comm_.rank() != 0 ? Box{} : cut_.own(comm_);
  const int planes = member_planes();
  const auto first_from = [&](int z) {
    const int offset = z - domain.lo[0];
    return std::min(domain.lo[0] + (offset + planes - 1) / planes * planes, domain.hi[0]);
  };
  Box mine = own, below = own, above = own;
  Field<float> given, taken;
  if (!cut_.whole()) {
    mine.lo[0] = first_from(own.lo[0]);
    mine.hi[0] = std::max(mine.lo[0], own.hi[0]);
    below.hi[0] = std::min(mine.lo[0], own.hi[0]);
    above.lo[0] = std::max(own.hi[0], mine.lo[0]);
    above.hi[0] = mine.lo[0] < own.hi[0] ? first_from(own.hi[0]) : above.lo[0];
    given = Field<float>(ctx_.backend, below);
    if (!below.empty()) make(given);
    taken = dist::fetched(ctx_, comm_, cut_, given, above.empty() ? Box{} : above);
  }
  constexpr std::int64_t wanted = std::int64_t{1} << 23U;  // values made at once
  const std::int64_t plane = std::int64_t{domain.size(1)} * domain.size(2);
  const int step = planes * static_cast<int>(std::max<std::int64_t>(wanted / (plane * planes), 1));
  for (int z = mine.lo[0]; !mine.empty() && z < mine.hi[0]; z += step) {
    Box slab = mine;
    slab.lo[0] = z;
    slab.hi[0] = std::min(z + step, mine.hi[0]);
    make_and_pack(make, slab,
                  slab.hi[0] == mine.hi[0] ? std::as_const(taken).view() : View<const float>{});
  }
  collect();
}

/// Makes and packs some planes, and after them those of the rank above.
void ShardWriter::make_and_pack(const MakePlanes& make, const Box& planes,
                                View<const float> above) {
  Field<float> values(ctx_.backend, planes);
  make(values);
  const auto extra = static_cast<std::size_t>(above.data ? above.stored.volume() : 0);
  std::vector<float> host(static_cast<std::size_t>(values.size()) + extra);
  copy_bytes(ctx_, Backend::cpu, host.data(), ctx_.backend, values.data(),
             static_cast<std::size_t>(values.size()) * sizeof(float));
  if (extra > 0)
    copy_bytes(ctx_, Backend::cpu, host.data() + values.size(), ctx_.backend, above.data,
               extra * sizeof(float));
  const std::span<const float> all(host);
  const std::size_t group =
      static_cast<std::size_t>(member_planes()) * planes.size(1) * planes.size(2);
  io::Packed part = packer_.pack(all, group);
  std::move(part.begin(), part.end(), std::back_inserter(packed_));
  values_ += static_cast<std::int64_t>(all.size());
  if (writer_) writer_->append(std::exchange(packed_, {}), std::exchange(values_, 0));
}

/// Rank 0 appends what the others made, in the order of the planes.
void ShardWriter::collect() {
  std::vector<std::byte> bytes;
  for (const auto& piece : packed_) bytes.insert(bytes.end(), piece.begin(), piece.end());
  packed_.clear();
  struct Size {
    std::int64_t bytes, values;
  };
  const auto sizes = comm_.all_gather(Size{std::ssize(bytes), std::exchange(values_, 0)});
  if (!writer_) {
    const dist::Send send{0, bytes.data(), bytes.size()};
    comm_.exchange({&send, 1}, {});
    return;
  }
  for (int rank = 1; rank < comm_.size(); ++rank) {
    const Size& size = sizes[static_cast<std::size_t>(rank)];
    std::vector<std::byte> part(static_cast<std::size_t>(size.bytes));
    const dist::Receive receive{rank, part.data(), part.size()};
    comm_.exchange({}, {&receive, 1});
    if (size.values > 0) {
      io::Packed packed;
      packed.push_back(std::move(part));
      writer_->append(std::move(packed), size.values);
    }
  }
}

void ShardWriter::commit() {
  if (writer_) writer_->commit();
  comm_.barrier();
}

}  // namespace ffdp::cli
