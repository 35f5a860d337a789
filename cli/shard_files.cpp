// SPDX-License-Identifier: Apache-2.0
#include "cli/shard_files.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"

namespace ffdp::cli {

void hand_out(dist::Comm& comm, const Box& box, const dist::Strided& from,
              const std::vector<Box>& boxes, const dist::Strided& to) {
  const Context ctx;
  const auto bytes = [&](const Box& part) {
    return static_cast<std::size_t>(part.volume() * to.components) * to.element;
  };
  for (int rank = 0; rank < comm.size(); ++rank) {
    const Box part = intersect(box, boxes[static_cast<std::size_t>(rank)]);
    if (part.empty() || (comm.rank() != 0 && comm.rank() != rank)) continue;
    if (rank == 0) {
      dist::copy_voxels(ctx, from, to, part);
      continue;
    }
    std::vector<std::byte> memory(bytes(part));
    const dist::Strided packed = to.dense(memory.data(), part);
    if (comm.rank() == 0) {
      dist::copy_voxels(ctx, from, packed, part);
      const dist::Send send{rank, memory.data(), memory.size()};
      comm.exchange({&send, 1}, {});
    } else {
      const dist::Receive receive{0, memory.data(), memory.size()};
      comm.exchange({}, {&receive, 1});
      dist::copy_voxels(ctx, packed, to, part);
    }
  }
}

template <class T>
void ShardReader::read_into(std::int64_t volume, View<T> out) {
  require(info().grid.domain().contains(out.stored),
          info().path + ": box " + to_string(out.stored) + " is asked, the image is " +
              to_string(info().grid.domain()));
  if (!info().compressed || comm_.size() == 1) return reader_.read_into<T>(volume, out);
  const std::vector<Box> boxes = comm_.all_gather(out.stored);
  Box wanted = info().grid.domain();
  std::swap(wanted.lo[0], wanted.hi[0]);
  for (const Box& box : boxes) {
    if (box.empty()) continue;
    wanted.lo[0] = std::min(wanted.lo[0], box.lo[0]);
    wanted.hi[0] = std::max(wanted.hi[0], box.hi[0]);
  }
  constexpr std::int64_t at_once = std::int64_t{1} << 20U;  // voxels
  for_each_slab(wanted, at_once, [&](const Box& piece) {
    Field<T> values;
    if (comm_.rank() == 0) values = reader_.read_box<T>(piece, volume);
    hand_out(comm_, piece, std::as_const(values).view(), boxes, out);
  });
}

template <class T>
Field<T> ShardReader::read(const Box& box, std::int64_t volume) {
  Field<T> field(Backend::cpu, box);
  read_into<T>(volume, field);
  return field;
}

template <class T>
Image<T> read_shard(dist::Comm& comm, const std::string& path) {
  ShardReader reader(comm, path);
  const io::NiftiInfo& info = reader.info();
  io::require_scalar(info);
  return {info.grid, reader.read<T>(dist::Cut(comm, info.grid.domain()).own(comm), 0)};
}

ShardWriter::ShardWriter(dist::Comm& comm, const std::string& path, const Grid& grid,
                         const io::WriteOptions& options, const Open& open)
    : comm_(comm),
      path_(path),
      domain_(grid.domain()),
      value_bytes_(static_cast<std::int64_t>(io::size_of(options.type))),
      part_(path, options) {
  const dist::Cut cut(comm, domain_);
  // If the grid is not cut, rank 0 writes.
  if (!cut.whole() || comm.rank() == 0) own_ = cut.own(comm);
  if (comm.rank() == 0) {
    writer_.emplace(open());
    components_ = writer_->components();
    position_ = writer_->position();
  }
  comm.broadcast(&components_, sizeof(components_), 0);
  comm.broadcast(&position_, sizeof(position_), 0);
  find_room();
  begin_volume();
}

/// Opens the file that rank 0 has begun on every rank, or on none.
void ShardWriter::find_room() {
  const std::string name = writer_ ? writer_->temporary() : "";
  const std::vector<char> all = comm_.all_gather_lists(std::span<const char>(name));
  room_.emplace(path_, std::string(all.begin(), all.end()));
  double lacking = room_->found() && dist::on_this_machine(comm_).ranks == comm_.size() ? 0 : 1;
  comm_.all_max({&lacking, 1});
  if (lacking > 0) room_.reset();
}

ShardWriter::ShardWriter(dist::Comm& comm, const std::string& path, const Grid& grid,
                         const io::Series& series, const io::WriteOptions& options)
    : ShardWriter(comm, path, grid, options,
                  [&] { return io::NiftiWriter(path, grid, series, options); }) {}

ShardWriter ShardWriter::displacement(dist::Comm& comm, const std::string& path, const Grid& grid,
                                      const io::WriteOptions& options) {
  return {comm, path, grid, options,
          [&] { return io::NiftiWriter::displacement(path, grid, options); }};
}

void ShardWriter::begin_volume() {
  const std::int64_t plane = std::int64_t{domain_.size(1)} * domain_.size(2);
  part_.begin(position_ + own_.lo[0] * plane * value_bytes_);
  written_ = 0;
}

template <class T>
void ShardWriter::write(const T* values, std::int64_t count) {
  written_ += count;
  if (writer_)
    writer_->write(values, count);
  else
    part_.write(values, count);
}

namespace {

/// The pieces of a stretch, in their order.
std::vector<std::span<const std::byte>> pieces_of(const io::Stretch& stretch) {
  std::vector<std::span<const std::byte>> pieces{stretch.head};
  pieces.insert(pieces.end(), stretch.members.begin(), stretch.members.end());
  pieces.emplace_back(stretch.tail);
  return pieces;
}

}  // namespace

/// In the file, the parts of the ranks are in the order of their planes. Rank 0 makes a gzip member
/// that contains planes of two ranks, and then knows where the members of the next rank begin.
void ShardWriter::end_volume() {
  require(written_ == own_.volume(), path_ + ": " + std::to_string(written_) +
                                         " values written of the planes " + to_string(own_) + ", " +
                                         std::to_string(own_.volume()) + " are wanted");
  const io::Stretch mine = part_.take();
  std::vector<std::int64_t> sizes{mine.values};
  std::vector<dist::Send> sends;
  const auto pieces = pieces_of(mine);
  for (const auto& piece : pieces) {
    sizes.push_back(std::ssize(piece));
    const bool end = &piece == &pieces.front() || &piece == &pieces.back();
    if (end || !room_) sends.push_back({0, piece.data(), piece.size()});
  }
  const auto counts = comm_.all_gather(std::ssize(sizes));
  const auto all = comm_.all_gather_lists(std::span<const std::int64_t>(sizes));
  if (!writer_ && mine.values > 0) comm_.exchange(sends, {});
  std::vector<std::int64_t> offsets(counts.size());
  auto next = all.begin() + counts[0];
  for (int rank = 1; writer_ && rank < comm_.size(); ++rank) {
    const auto of_rank = static_cast<std::size_t>(rank);
    const auto end = next + counts[of_rank];
    if (*next > 0 && room_)
      offsets[of_rank] = make_room(rank, {next, end});
    else if (*next > 0)
      append_of(rank, {next, end});
    next = end;
  }
  if (room_) {
    comm_.broadcast(offsets.data(), offsets.size() * sizeof(offsets[0]), 0);
    std::int64_t at = offsets[static_cast<std::size_t>(comm_.rank())];
    for (const auto& member : mine.members) {
      room_->write(at, member.data(), member.size());
      at += std::ssize(member);
    }
  }
  position_ += domain_.volume() * value_bytes_;
  begin_volume();
}

/// @param sizes  number of values, then bytes of the pieces
/// @return on rank 0, where the members of that rank belong [bytes]
std::int64_t ShardWriter::make_room(int rank, std::span<const std::int64_t> sizes) {
  io::Stretch part{.head = std::vector<std::byte>(static_cast<std::size_t>(sizes[1])),
                   .members = {},
                   .tail = std::vector<std::byte>(static_cast<std::size_t>(sizes.back())),
                   .values = sizes[0]};
  const dist::Receive receives[] = {{rank, part.head.data(), part.head.size()},
                                    {rank, part.tail.data(), part.tail.size()}};
  comm_.exchange({}, receives);
  const std::span members = sizes.subspan(2, sizes.size() - 3);
  const auto bytes = std::accumulate(members.begin(), members.end(), std::int64_t{0});
  return writer_ ? writer_->append_around(part, bytes) : 0;
}

/// @param sizes  number of values, then bytes of the pieces
void ShardWriter::append_of(int rank, std::span<const std::int64_t> sizes) {
  constexpr std::size_t at_once = 8;  // pieces
  const std::size_t pieces = sizes.size() - 1;
  for (std::size_t first = 0; first < pieces; first += at_once) {
    io::Packed packed(std::min(at_once, pieces - first));
    std::vector<dist::Receive> receives;
    for (std::size_t i = 0; i < packed.size(); ++i) {
      packed[i].resize(static_cast<std::size_t>(sizes[1 + first + i]));
      receives.push_back({rank, packed[i].data(), packed[i].size()});
    }
    comm_.exchange({}, receives);
    io::Stretch part{.head = {}, .members = {}, .tail = {}, .values = first == 0 ? sizes[0] : 0};
    const bool last = first + packed.size() == pieces;
    if (last) part.tail = std::move(packed.back());
    if (last) packed.pop_back();
    if (first == 0 && !packed.empty()) {
      part.head = std::move(packed.front());
      packed.erase(packed.begin());
    }
    part.members = std::move(packed);
    if (writer_) writer_->append(std::move(part));
  }
}

void ShardWriter::commit() {
  if (room_) room_->close();
  comm_.barrier();
  if (writer_) writer_->commit();
  comm_.barrier();
}

void write_planes(Context& ctx, ShardWriter& writer, const MakePlanes& make) {
  for_each_slab(writer.own(), values_at_once(ctx.backend), [&](const Box& slab) {
    Field<float> values(ctx.backend, slab);
    make(values);
    if (ctx.backend != Backend::cpu) values = copy_to(ctx, Backend::cpu, values);
    writer.write(static_cast<const float*>(values.data()), values.size());
  });
  writer.end_volume();
}

template void ShardReader::read_into(std::int64_t, View<std::uint8_t>);
template void ShardReader::read_into(std::int64_t, View<std::int8_t>);
template void ShardReader::read_into(std::int64_t, View<std::uint16_t>);
template void ShardReader::read_into(std::int64_t, View<std::int16_t>);
template void ShardReader::read_into(std::int64_t, View<std::uint32_t>);
template void ShardReader::read_into(std::int64_t, View<std::int32_t>);
template void ShardReader::read_into(std::int64_t, View<std::uint64_t>);
template void ShardReader::read_into(std::int64_t, View<std::int64_t>);
template void ShardReader::read_into(std::int64_t, View<float>);
template void ShardReader::read_into(std::int64_t, View<double>);
template Field<std::uint8_t> ShardReader::read(const Box&, std::int64_t);
template Field<std::int8_t> ShardReader::read(const Box&, std::int64_t);
template Field<std::uint16_t> ShardReader::read(const Box&, std::int64_t);
template Field<std::int16_t> ShardReader::read(const Box&, std::int64_t);
template Field<std::uint32_t> ShardReader::read(const Box&, std::int64_t);
template Field<std::int32_t> ShardReader::read(const Box&, std::int64_t);
template Field<std::uint64_t> ShardReader::read(const Box&, std::int64_t);
template Field<std::int64_t> ShardReader::read(const Box&, std::int64_t);
template Field<float> ShardReader::read(const Box&, std::int64_t);
template Field<double> ShardReader::read(const Box&, std::int64_t);
template Image<std::uint8_t> read_shard(dist::Comm&, const std::string&);
template Image<std::int8_t> read_shard(dist::Comm&, const std::string&);
template Image<std::uint16_t> read_shard(dist::Comm&, const std::string&);
template Image<std::int16_t> read_shard(dist::Comm&, const std::string&);
template Image<std::uint32_t> read_shard(dist::Comm&, const std::string&);
template Image<std::int32_t> read_shard(dist::Comm&, const std::string&);
template Image<std::uint64_t> read_shard(dist::Comm&, const std::string&);
template Image<std::int64_t> read_shard(dist::Comm&, const std::string&);
template Image<float> read_shard(dist::Comm&, const std::string&);
template Image<double> read_shard(dist::Comm&, const std::string&);
template void ShardWriter::write(const std::uint8_t*, std::int64_t);
template void ShardWriter::write(const std::int8_t*, std::int64_t);
template void ShardWriter::write(const std::uint16_t*, std::int64_t);
template void ShardWriter::write(const std::int16_t*, std::int64_t);
template void ShardWriter::write(const std::uint32_t*, std::int64_t);
template void ShardWriter::write(const std::int32_t*, std::int64_t);
template void ShardWriter::write(const std::uint64_t*, std::int64_t);
template void ShardWriter::write(const std::int64_t*, std::int64_t);
template void ShardWriter::write(const float*, std::int64_t);
template void ShardWriter::write(const double*, std::int64_t);

}  // namespace ffdp::cli
