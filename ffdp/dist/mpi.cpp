// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/mpi.hpp"

#include <cstdlib>

#include "ffdp/core/error.hpp"

#if defined(FFDP_HAS_MPI)
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <mpi.h>
#endif

namespace ffdp::dist {

bool started_by_mpi() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"})
    if (const char* value = std::getenv(name)) return std::atoi(value) > 1;
  // srun sets PMIX_RANK or PMI_RANK for its tasks; a plain Slurm job step of one task is no MPI
  // run.
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  return tasks && std::atoi(tasks) > 1 && (std::getenv("PMIX_RANK") || std::getenv("PMI_RANK"));
}

#if defined(FFDP_HAS_MPI)
namespace {

using Clock = std::chrono::steady_clock;

void check(int code) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommError("mpi: " + std::string(text, static_cast<std::size_t>(length)));
}

using Report = std::function<void(const std::string&)>;
constexpr double patience = 4;  // longer than a rank that waits for its messages [s]

/// Ends the process if MPI does not return from starting or ending the ranks. At that time there is
/// no communicator on which a Pulse could find the missing rank.
class Deadline {
 public:
  Deadline(double seconds, const char* what, const Report& report)
      : thread_([this, seconds, what, &report] {
          std::unique_lock lock(mutex_);
          const std::chrono::duration<double> most(seconds);
          if (changed_.wait_for(lock, most, [&] { return reached_; })) return;
          const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
          if (!rank) rank = std::getenv("PMIX_RANK");
          if (!rank) rank = std::getenv("PMI_RANK");
          report("rank " + std::string(rank ? rank : "of unknown number") + ": MPI has not " +
                 what + " all ranks within " + std::to_string(static_cast<int>(seconds)) +
                 " s: one of the others is lost or hangs");
          std::_Exit(1);
        }) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  Deadline(Deadline&&) = delete;
  Deadline& operator=(Deadline&&) = delete;
  ~Deadline() {
    {
      const std::scoped_lock lock(mutex_);
      reached_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false;
  std::thread thread_;
};

/// Each rank regularly sends a sign of life, from a thread and on a communicator of its own. So a
/// process that is stopped or lost falls silent, but one that computes for a long time does not.
///
/// A rank notices a silent peer when it waits for a message. A rank that waits for its GPU, whose
/// work waits for the peer, cannot check; some seconds later this thread ends the run.
class Pulse {
 public:
  Pulse(int rank, int size, double timeout, Report report)
      : rank_(rank),
        size_(size),
        timeout_(timeout),
        report_(std::move(report)),
        heard_(static_cast<std::size_t>(size)) {
    check(MPI_Comm_dup(MPI_COMM_WORLD, &comm_));
    for (auto& when : heard_) when = Clock::now().time_since_epoch().count();
    thread_ = std::thread([this] { beat(); });
  }
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;
  Pulse(Pulse&&) = delete;
  Pulse& operator=(Pulse&&) = delete;
  ~Pulse() {
    stop_ = true;
    thread_.join();
  }
  std::string text(int rank) const {
    return "comm: rank " + std::to_string(rank) + " has been silent for " +
           std::to_string(static_cast<int>(silence(rank))) + " s: it is lost or hangs";
  }
  /// Time since the last sign of life of a rank [s].
  double silence(int rank) const {
    const Clock::duration since =
        Clock::now().time_since_epoch() - Clock::duration(heard_[static_cast<std::size_t>(rank)]);
    return std::chrono::duration<double>(since).count();
  }

 private:
  void beat() {
    // At most one message is under way to each rank; a peer that does not receive it gets no more.
    std::vector<MPI_Request> requests(static_cast<std::size_t>(size_), MPI_REQUEST_NULL);
    auto next = Clock::now();
    while (!stop_) {
      if (Clock::now() >= next) {
        next = Clock::now() + std::chrono::seconds(1);
        for (int r = 0; r < size_; ++r) {
          int done = 1;
          auto& request = requests[static_cast<std::size_t>(r)];
          if (request != MPI_REQUEST_NULL) MPI_Test(&request, &done, MPI_STATUS_IGNORE);
          if (r != rank_ && done) MPI_Isend(&sign_, 1, MPI_CHAR, r, 0, comm_, &request);
        }
      }
      for (int found = 1; found;) {
        MPI_Status status;
        MPI_Iprobe(MPI_ANY_SOURCE, 0, comm_, &found, &status);
        if (!found) break;
        char sign = 0;
        MPI_Recv(&sign, 1, MPI_CHAR, status.MPI_SOURCE, 0, comm_, MPI_STATUS_IGNORE);
        heard_[static_cast<std::size_t>(status.MPI_SOURCE)] =
            Clock::now().time_since_epoch().count();
      }
      for (int r = 0; r < size_; ++r) {
        if (r == rank_ || silence(r) < timeout_ + patience) continue;
        report_("rank " + std::to_string(rank_) + ": " + text(r));
        MPI_Abort(MPI_COMM_WORLD, 1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    for (auto& request : requests)
      if (request != MPI_REQUEST_NULL) {
        MPI_Cancel(&request);
        MPI_Request_free(&request);
      }
  }

  int rank_, size_;
  double timeout_;
  Report report_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  char sign_ = 1;
  std::vector<std::atomic<Clock::rep>> heard_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class MpiPending final : public Comm::Pending {
 public:
  MpiPending(const Pulse& pulse, double timeout, int rank, std::span<const Send> sends,
             std::span<const Receive> receives)
      : pulse_(pulse), timeout_(timeout) {
    std::vector<const Send*> own;
    for (const Send& send : sends) {
      if (send.to == rank)
        own.push_back(&send);
      else
        in_pieces(send.bytes, send.to, true, [&](std::size_t at, int n, MPI_Request* request) {
          return MPI_Isend(static_cast<const std::byte*>(send.data) + at, n, MPI_BYTE, send.to, 0,
                           MPI_COMM_WORLD, request);
        });
    }
    std::size_t next_own = 0;
    for (const Receive& receive : receives) {
      if (receive.from == rank) {
        require(next_own < own.size() && own[next_own]->bytes == receive.bytes,
                "mpi: a message to oneself does not match");
        if (receive.bytes > 0) std::memcpy(receive.data, own[next_own]->data, receive.bytes);
        ++next_own;
        continue;
      }
      in_pieces(receive.bytes, receive.from, false,
                [&](std::size_t at, int n, MPI_Request* request) {
                  return MPI_Irecv(static_cast<std::byte*>(receive.data) + at, n, MPI_BYTE,
                                   receive.from, 0, MPI_COMM_WORLD, request);
                });
    }
  }

  MpiPending(const MpiPending&) = delete;
  MpiPending& operator=(const MpiPending&) = delete;
  MpiPending(MpiPending&&) = delete;
  MpiPending& operator=(MpiPending&&) = delete;
  /// After an error the memory of messages is freed, so nothing may be written to it any more.
  ~MpiPending() override {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      MPI_Cancel(&requests_[i]);
      if (is_send_[i])
        MPI_Request_free(&requests_[i]);
      else
        MPI_Wait(&requests_[i], MPI_STATUS_IGNORE);
    }
  }

  void wait() override {
    for (int round = 0; !requests_.empty(); ++round) {
      int done = 0;
      check(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done,
                        MPI_STATUSES_IGNORE));
      if (done) return;
      if (round < 1000) continue;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      for (std::size_t i = 0; i < requests_.size(); ++i)
        if (requests_[i] != MPI_REQUEST_NULL && pulse_.silence(peers_[i]) > timeout_)
          throw CommError(pulse_.text(peers_[i]));
    }
  }

 private:
  /// MPI counts in int.
  template <class Post>
  void in_pieces(std::size_t bytes, int peer, bool is_send, Post&& post) {
    constexpr std::size_t most = std::size_t{1} << 30U;
    std::size_t at = 0;
    do {
      const std::size_t n = std::min(most, bytes - at);
      MPI_Request request = MPI_REQUEST_NULL;
      check(post(at, static_cast<int>(n), &request));
      requests_.push_back(request);
      peers_.push_back(peer);
      is_send_.push_back(is_send);
      at += n;
    } while (at < bytes);
  }

  const Pulse& pulse_;
  double timeout_;
  std::vector<MPI_Request> requests_;
  std::vector<int> peers_;
  std::vector<bool> is_send_;
};

class MpiComm final : public Comm {
 public:
  MpiComm(double timeout, const Report& report) : timeout_(timeout) {
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_));
    check(MPI_Comm_size(MPI_COMM_WORLD, &size_));
    pulse_ = std::make_unique<Pulse>(rank_, size_, timeout, report);
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string backend() const override { return "mpi"; }

 private:
  std::unique_ptr<Pending> start_messages(std::span<const Send> sends,
                                          std::span<const Receive> receives) override {
    return std::make_unique<MpiPending>(*pulse_, timeout_, rank_, sends, receives);
  }
  double timeout_;
  int rank_ = 0, size_ = 1;
  std::unique_ptr<Pulse> pulse_;
};

}  // namespace

void run_mpi(double timeout, const std::function<void(Comm&)>& body,
             const std::function<void(const std::string&)>& report) {
  std::optional<Deadline> deadline(std::in_place, timeout + patience, "started", report);
  int provided = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided));
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  try {
    require(provided == MPI_THREAD_MULTIPLE,
            "mpi: this MPI does not let several threads call it (MPI_THREAD_MULTIPLE)");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MpiComm comm(timeout, report);
    deadline.reset();
    body(comm);
    comm.barrier();
  } catch (const std::exception& error) {
    deadline.reset();
    // Rank 0 reports an error that all ranks have.
    if (rank > 0) std::this_thread::sleep_for(std::chrono::milliseconds(500 + 10 * rank));
    report("rank " + std::to_string(rank) + ": " + error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  deadline.emplace(timeout + patience, "ended", report);
  MPI_Finalize();
}

#else

void run_mpi(double, const std::function<void(Comm&)>&,
             const std::function<void(const std::string&)>&) {
  throw NotBuilt("mpi: started as several processes, but built without MPI (-DFFDP_MPI=ON)");
}
#endif

}  // namespace ffdp::dist
