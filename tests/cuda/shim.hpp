// CUDA's words for a host compiler: stands before a body's text, which is compiled as it is.
//
// The threads of a block are fibers: each runs until it ends or waits at a barrier, then the next
// one runs. Blocks run one after the other, so shared memory is static memory. The order in which
// threads run can be reversed: a result that depends on it lacks a barrier.
#include <cmath>
#include <cstring>
#include <ucontext.h>
#include <utility>
#include <vector>

struct Dim { unsigned x, y, z; };
static Dim threadIdx, blockIdx, blockDim, gridDim;

#define __device__
#define __global__
#define __shared__ static

namespace host {

struct Fiber {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(1 << 16);
  unsigned thread;
};
static ucontext_t scheduler;
static Fiber* running;
static void (*work)(void**);
static void** arguments;
static bool ended;

static void body() {
  work(arguments);
  ended = true;
  swapcontext(&running->context, &scheduler);
}

static void resume(Fiber& fiber) {
  running = &fiber;
  threadIdx = {fiber.thread, 0, 0};
  ended = false;
  swapcontext(&scheduler, &fiber.context);
}

static Fiber* fresh(std::vector<Fiber*>& idle, unsigned thread) {
  Fiber* fiber = idle.empty() ? new Fiber : idle.back();
  if (!idle.empty()) idle.pop_back();
  fiber->thread = thread;
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.data();
  fiber->context.uc_stack.ss_size = fiber->stack.size();
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, body, 0);
  return fiber;
}

// Run every thread of a block up to its first barrier, then on to the next, until all have ended.
static void run_block(std::vector<Fiber*>& idle, bool reversed) {
  std::vector<Fiber*> waiting;
  for (unsigned t = 0; t < blockDim.x; t++) {
    Fiber* fiber = fresh(idle, reversed ? blockDim.x - 1 - t : t);
    resume(*fiber);
    (ended ? idle : waiting).push_back(fiber);
  }
  while (!waiting.empty()) {
    std::vector<Fiber*> still;
    for (Fiber* fiber : waiting) {
      resume(*fiber);
      (ended ? idle : still).push_back(fiber);
    }
    waiting = still;
  }
}

static std::vector<Fiber*> idle;

template <class... A, std::size_t... Is>
void call(void (*kernel)(A...), void** values, std::index_sequence<Is...>) {
  kernel(*(A*)values[Is]...);
}

template <auto kernel> struct Kernel;
template <class... A, void (*kernel)(A...)> struct Kernel<kernel> {
  static void run(void** values) { call(kernel, values, std::index_sequence_for<A...>{}); }
  static void sizes(long long* bytes) { ((*bytes++ = sizeof(A)), ..., (*bytes = -1)); }
};

template <auto kernel>
void launch(void** values, const unsigned* grid, unsigned threads, bool reversed) {
  work = Kernel<kernel>::run;
  arguments = values;
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {threads, 1, 1};
  for (unsigned z = 0; z < grid[2]; z++)
    for (unsigned y = 0; y < grid[1]; y++)
      for (unsigned x = 0; x < grid[0]; x++) {
        blockIdx = {x, y, z};
        run_block(idle, reversed);
      }
}

}  // namespace host

static void __syncthreads() { swapcontext(&host::running->context, &host::scheduler); }

static float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
static unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

static float float_of_half(unsigned short bits) {
  _Float16 value;
  std::memcpy(&value, &bits, 2);
  return (float)value;
}
static unsigned short half_of_float(float number) {
  const _Float16 value = (_Float16)number;
  unsigned short bits;
  std::memcpy(&bits, &value, 2);
  return bits;
}
