// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/itk_parameters.hpp"

#include <cmath>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

using Values = std::vector<double>;

// y = M (x - c) + t + c
Affine about(const Mat3& m, const Vec3& centre, const Vec3& t) {
  const Affine turn{m, {}};
  const Vec3 moved = turn(centre);
  Affine r{m, {}};
  for (int i = 0; i < 3; ++i) r.translation[i] = t[i] + centre[i] - moved[i];
  return r;
}

Mat3 rotation(int axis, double angle) {
  const int i = (axis + 1) % 3, j = (axis + 2) % 3;
  Mat3 r{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  r[i][i] = r[j][j] = std::cos(angle);
  r[i][j] = -std::sin(angle);
  r[j][i] = std::sin(angle);
  return r;
}

Mat3 scaled(Mat3 m, double factor) {
  for (auto& row : m)
    for (double& value : row) value *= factor;
  return m;
}

// Unit quaternion from its vector part.
Mat3 versor(double x, double y, double z) {
  const double square = x * x + y * y + z * z;
  const double w = std::sqrt(std::max(0.0, 1 - square));
  return {{{1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)},
           {2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)},
           {2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)}}};
}

struct Request {
  const std::string& path;
  const std::string& type;
  const Values& p;
  const Values& fixed;

  void wants(std::size_t parameters) const {
    if (p.size() != parameters)
      throw IoError(path + ": " + type + " with " + std::to_string(p.size()) + " parameters, " +
                    std::to_string(parameters) + " are wanted");
  }
  Vec3 tail(std::size_t begin, int axes) const {
    Vec3 t{};
    for (int i = 0; i < axes; ++i) t[i] = p[begin + static_cast<std::size_t>(i)];
    return t;
  }
  Vec3 centre(int axes) const {
    Vec3 c{};
    if (fixed.size() < static_cast<std::size_t>(axes))
      throw IoError(path + ": " + type + " with " + std::to_string(fixed.size()) +
                    " fixed parameters, a centre of " + std::to_string(axes) + " is wanted");
    for (int i = 0; i < axes; ++i) c[i] = fixed[static_cast<std::size_t>(i)];
    return c;
  }
};

Affine matrix_offset(const Request& r, int axes) {
  const std::size_t n = static_cast<std::size_t>(axes);
  r.wants(n * n + n);
  Mat3 m{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) m[i][j] = r.p[i * n + j];
  return about(m, r.centre(axes), r.tail(n * n, axes));
}

/// Versor, translation, scales and the skews that `skews` says.
Affine scaled_versor(const Request& r, std::size_t skews) {
  r.wants(9 + skews);
  const Values& p = r.p;
  Mat3 m = versor(p[0], p[1], p[2]);
  if (skews == 3) {  // composed: rotation, scale, skew
    const Mat3 scale{{{p[6], 0, 0}, {0, p[7], 0}, {0, 0, p[8]}}};
    const Mat3 skew{{{1, p[9], p[10]}, {0, 1, p[11]}, {0, 0, 1}}};
    m = m * scale * skew;
  } else {  // added to the elements of the rotation
    std::size_t next = 9;
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j)
        if (i == j)
          m[i][i] += p[6 + i] - 1;
        else if (skews == 6)
          m[i][j] += p[next++];
  }
  return about(m, r.centre(3), r.tail(3, 3));
}

Affine euler3d(const Request& r) {
  r.wants(6);
  const Mat3 x = rotation(0, r.p[0]), y = rotation(1, r.p[1]), z = rotation(2, r.p[2]);
  // The fourth fixed parameter says whether the order is ZYX instead of ZXY.
  const bool zyx = r.fixed.size() > 3 && r.fixed[3] != 0;
  return about(zyx ? z * y * x : z * x * y, r.centre(3), r.tail(3, 3));
}

bool starts(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }

/// Transforms whose parameters are a matrix, row by row, and a translation.
Affine matrix_transform(const Request& r, int axes) {
  if (!starts(r.type, "Centered")) return matrix_offset(r, axes);
  const std::size_t n = static_cast<std::size_t>(axes);  // here: matrix, centre, translation
  const Values& p = r.p;
  r.wants(n * n + 2 * n);
  Values plain(p.begin(), p.begin() + static_cast<long>(n * n));
  plain.insert(plain.end(), p.end() - axes, p.end());
  const Values centre(p.begin() + static_cast<long>(n * n), p.end() - axes);
  return matrix_offset({r.path, r.type, plain, centre}, axes);
}

/// Rotations by versors, without or with a scale.
Affine versor_transform(const Request& r) {
  const Values& p = r.p;
  const bool similarity = starts(r.type, "Similarity3D"), rigid = starts(r.type, "VersorRigid3D");
  r.wants(similarity ? 7 : rigid ? 6 : 3);
  const Mat3 turn = versor(p[0], p[1], p[2]);
  if (similarity) return about(scaled(turn, p[6]), r.centre(3), r.tail(3, 3));
  return about(turn, r.centre(3), rigid ? r.tail(3, 3) : Vec3{});
}

/// An angle, then a scale or none, in a plane.
Affine planar_transform(const Request& r) {
  const Values& p = r.p;
  const bool similarity = starts(r.type, "Similarity");
  r.wants(similarity ? 4 : 3);
  if (!similarity) return about(rotation(2, p[0]), r.centre(2), r.tail(1, 2));
  Mat3 m = scaled(rotation(2, p[1]), p[0]);
  m[2][2] = 1;
  return about(m, r.centre(2), r.tail(2, 2));
}

}  // namespace

Affine affine_from_itk(const std::string& path, const std::string& type, const Values& parameters,
                       const Values& fixed) {
  const Request r{path, type, parameters, fixed};
  const Values& p = parameters;
  const bool flat = type.ends_with("_2_2");
  if (!flat && !type.ends_with("_3_3"))
    throw IoError(path + ": transform type " + type + ", one of 2 or 3 dimensions is wanted");
  const int axes = flat ? 2 : 3;
  if (starts(type, "AffineTransform") || starts(type, "MatrixOffsetTransformBase") ||
      starts(type, "CenteredAffineTransform") || starts(type, "Rigid3DTransform"))
    return matrix_transform(r, axes);
  if (starts(type, "IdentityTransform")) return {};
  if (starts(type, "TranslationTransform")) {
    r.wants(static_cast<std::size_t>(axes));
    return {Affine{}.linear, r.tail(0, axes)};
  }
  if (starts(type, "ScaleTransform")) {
    r.wants(static_cast<std::size_t>(axes));
    Mat3 m = Affine{}.linear;
    for (int i = 0; i < axes; ++i) m[i][i] = p[static_cast<std::size_t>(i)];
    return about(m, r.centre(axes), {});
  }
  if (starts(type, "Euler3DTransform")) return euler3d(r);
  if (starts(type, "ScaleVersor3DTransform")) return scaled_versor(r, 0);
  if (starts(type, "ScaleSkewVersor3DTransform")) return scaled_versor(r, 6);
  if (starts(type, "ComposeScaleSkewVersor3DTransform")) return scaled_versor(r, 3);
  if (starts(type, "VersorRigid3DTransform") || starts(type, "VersorTransform") ||
      starts(type, "Similarity3DTransform"))
    return versor_transform(r);
  if (starts(type, "Rigid2DTransform") || starts(type, "Euler2DTransform") ||
      starts(type, "Similarity2DTransform"))
    return planar_transform(r);
  throw IoError(path + ": transform type " + type +
                " is not supported; affine, rigid, Euler, versor, similarity, scale and "
                "translation transforms and displacement fields are");
}

bool is_planar(const Affine& affine) {
  const Mat3& m = affine.linear;
  return m[2] == Vec3{0, 0, 1} && m[0][2] == 0 && m[1][2] == 0 && affine.translation[2] == 0;
}

ItkParameters itk_from_affine(const Affine& affine, const Vec3& centre, int dimension) {
  const Mat3& m = affine.linear;
  require(dimension == 3 || is_planar(affine),
          "itk: a 2-D transform must leave z alone, this one does not");
  ItkParameters itk{dimension == 2 ? "AffineTransform_double_2_2" : "AffineTransform_double_3_3",
                    {},
                    {centre.begin(), centre.begin() + dimension}};
  for (int i = 0; i < dimension; ++i)
    itk.parameters.insert(itk.parameters.end(), m[i].begin(), m[i].begin() + dimension);
  Vec3 c = centre;
  if (dimension == 2) c[2] = 0;
  const Vec3 image = affine(c);
  for (int i = 0; i < dimension; ++i) itk.parameters.push_back(image[i] - c[i]);
  return itk;
}

Affine flip_ras_lps(const Affine& affine) {
  Affine r = affine;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      if ((i < 2) != (j < 2)) r.linear[i][j] = -r.linear[i][j];
  for (int i = 0; i < 2; ++i) r.translation[i] = -r.translation[i];
  return r;
}

}  // namespace ffdp::io
