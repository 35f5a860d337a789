// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/core/grid.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/registration/progress.hpp"

namespace ffdp::registration {

/// Cost at every iteration of one level, and what its Gaussians were.
struct LevelTrace {
  Grid grid;
  std::vector<double> costs;
  double seconds = 0;
  /// Of the warp that the level starts with (change_of in smoothing.hpp) [1].
  std::optional<double> change{};
  double sigma_update = 0, sigma_warp = 0;  ///< [voxels of the level]
};

/// The state of a registration without its fields. With the fields it can be resumed, on any number
/// of ranks, and ends with the same bits as if it had not been stopped.
struct Standing {
  int linear_stages = 0;            ///< that are done, after the initialisation
  Affine affine;                    ///< so far, LPS mm
  std::vector<LinearTrace> linear;  ///< of the stages that are done
  bool deformable = false;  ///< whether the deformable stage has begun; if not, the rest is unused
  int pass = 0;             ///< 0; with Config::symmetric 1 is backward, 2 the refinement
  int level = 0;            ///< of the pass; it is not done yet
  std::vector<LevelTrace> levels;  ///< of all passes; of the last one, the iterations that are done
  std::vector<float> factors;      ///< of the metrics' gradients
  double epsilon = 0;              ///< of the step
};

/// The planes of a field that a rank owns. Those of a component are contiguous in memory.
struct OwnPlanes {
  std::string name;
  std::vector<void*> components;  ///< where each begins, on the backend of the context
  std::int64_t plane_bytes = 0;
  int first = 0, count = 0, all = 0;  ///< first plane owned; planes owned; planes of the domain
};

/// What this rank owns of one component of a field.
template <class T>
OwnPlanes own_planes(std::string name, const View<T>& field, const Box& domain, const Box& own) {
  return {std::move(name),
          {field.row(own.lo[0], field.stored.lo[1]) + field.stored.lo[2]},
          field.stride_z * static_cast<std::int64_t>(sizeof(T)),
          own.lo[0] - domain.lo[0],
          own.size(0),
          domain.size(0)};
}
template <class T>
OwnPlanes own_planes(std::string name, const VectorView<T>& field, const Box& domain,
                     const Box& own) {
  OwnPlanes planes = own_planes(std::move(name), field[0], domain, own);
  for (int c = 1; c < 3; ++c)
    planes.components.push_back(static_cast<T*>(planes.components[0]) + c * field.stride_c);
  return planes;
}

/// Saves the state of a registration from time to time, and restores it. `due` and `save` are
/// collective.
class Checkpoint {
 public:
  Checkpoint() = default;
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;
  Checkpoint(Checkpoint&&) = delete;
  Checkpoint& operator=(Checkpoint&&) = delete;
  virtual ~Checkpoint() = default;

  /// The state to resume from; null: start at the beginning.
  virtual const Standing* standing() const = 0;
  /// Fills the planes with what was saved under their name.
  virtual void load(Context& ctx, const OwnPlanes& field) = 0;

  /// Whether it is time to save; every rank gets the same answer.
  virtual bool due(dist::Comm& comm) = 0;
  /// Throws if the registration is to end here.
  virtual void save(Context& ctx, dist::Comm& comm, const Standing& standing,
                    const std::vector<OwnPlanes>& fields) = 0;
};

}  // namespace ffdp::registration
