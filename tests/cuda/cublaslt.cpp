// A stand-in for cuBLASLt on the host: the functions that xpconv calls, with NVIDIA's signatures,
// semantics and refusals, on memory of the host. Matrices are column-major. It is written from
// NVIDIA's documentation of the interface and shares nothing with the code that it tests.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

enum { SUCCESS = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };
enum { C_32F = 68, C_64F = 70, C_TF32 = 77 };

struct Description { int compute, scale; int32_t trans[2] = {0, 0}; uint32_t epilogue = 1; const void* bias = nullptr; int64_t bias_step = 0; };
struct Layout { int type; uint64_t rows, cols; int64_t ld; int32_t batch = 1; int64_t step = 0; };
struct Preference { uint64_t workspace = 0; uint32_t schemes = 7, alignment[4] = {256, 256, 256, 256}; };
struct Algorithm { uint64_t data[8]; };
struct Result { Algorithm algo; size_t workspace; int state; float waves; int reserved[4]; };

// What a test sets, and what it reads.
struct Control {
  int32_t device;        // so many devices there are: 0 refuses a handle
  int32_t no_bias;       // the heuristics know no algorithm with a bias
  int32_t no_algorithm;  // nor any other
  int32_t refuse_sizes;  // and say that something is amiss with what is asked
  int32_t fail;          // the status of the next product
  int32_t descriptors;   // that are alive
  int32_t plans, products;
  uint32_t schemes;
  int32_t compute, type, epilogue, batch;
  void* stream;
  size_t workspace;
};
extern "C" Control control;
Control control = {1};

static int handle_of_device;

static double load(const void* p, int64_t i, int type) {
  if (type == R_64F) return ((const double*)p)[i];
  if (type == R_32F) return ((const float*)p)[i];
  if (type == R_16F) { _Float16 v; std::memcpy(&v, (const char*)p + 2 * i, 2); return (float)v; }
  uint32_t wide = (uint32_t)((const uint16_t*)p)[i] << 16;
  float v; std::memcpy(&v, &wide, 4);
  return v;
}

static void store(void* p, int64_t i, int type, double value) {
  if (type == R_64F) { ((double*)p)[i] = value; return; }
  float single = (float)value;
  if (type == R_32F) { ((float*)p)[i] = single; return; }
  if (type == R_16F) { _Float16 v = (_Float16)single; std::memcpy((char*)p + 2 * i, &v, 2); return; }
  uint32_t bits; std::memcpy(&bits, &single, 4);
  uint16_t half = std::isnan(single) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  ((uint16_t*)p)[i] = half;
}

static float tf32(float value) {  // 10 bits of mantissa
  if (!std::isfinite(value)) return value;
  uint32_t bits; std::memcpy(&bits, &value, 4);
  bits = (bits + 0x0fff + (bits >> 13 & 1)) & ~0x1fffu;
  std::memcpy(&value, &bits, 4);
  return value;
}

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15ull + (h >> 29); }

static uint64_t of(const Layout& l) {
  uint64_t h = 1;
  for (uint64_t v : {(uint64_t)l.type, l.rows, l.cols, (uint64_t)l.ld, (uint64_t)l.batch, (uint64_t)l.step}) h = mix(h, v);
  return h;
}

static uint64_t problem(const Description& d, const Layout* const* m) {
  uint64_t h = 7;
  for (uint64_t v : {(uint64_t)d.compute, (uint64_t)d.trans[0], (uint64_t)d.trans[1], (uint64_t)d.epilogue, (uint64_t)d.bias_step}) h = mix(h, v);
  for (int i = 0; i < 4; i++) h = mix(h, of(*m[i]));
  return h;
}

static bool same_size(const Layout& a, const Layout& b) {
  return a.type == b.type && a.rows == b.rows && a.cols == b.cols && a.batch == b.batch;
}

// Whether sizes fit together, and then whether there is an algorithm for such types.
static int judge(const Description& d, const Layout* const* m) {
  const Layout &a = *m[0], &b = *m[1], &c = *m[2], &out = *m[3];
  for (int i = 0; i < 4; i++) {
    if (m[i]->ld < (int64_t)m[i]->rows || m[i]->rows == 0 || m[i]->cols == 0 || m[i]->batch < 1) return INVALID_VALUE;
    if (m[i]->batch != out.batch) return INVALID_VALUE;
  }
  const uint64_t rows = d.trans[0] ? a.cols : a.rows, inner = d.trans[0] ? a.rows : a.cols;
  const uint64_t other = d.trans[1] ? b.cols : b.rows, cols = d.trans[1] ? b.rows : b.cols;
  if (inner != other || rows != out.rows || cols != out.cols || !same_size(c, out)) return INVALID_VALUE;
  if (a.type != b.type) return NOT_SUPPORTED;
  const bool half = a.type == R_16F || a.type == R_16BF;
  if (d.compute == C_64F ? d.scale != R_64F || a.type != R_64F : d.scale != R_32F) return NOT_SUPPORTED;
  if (d.compute == C_TF32 && a.type != R_32F) return NOT_SUPPORTED;
  if (d.compute == C_32F && a.type == R_64F) return NOT_SUPPORTED;
  if (out.type != a.type && !(half && out.type == R_32F)) return NOT_SUPPORTED;
  if (d.epilogue != 1 && (d.epilogue != 4 || out.type != a.type || control.no_bias)) return NOT_SUPPORTED;
  return control.no_algorithm ? NOT_SUPPORTED : SUCCESS;
}

template <class T> static int set(T* field, const void* value, size_t size) {
  if (!value || size != sizeof(T)) return INVALID_VALUE;
  std::memcpy(field, value, size);
  return SUCCESS;
}

template <class T> static int destroy(T* made) {
  if (made) control.descriptors--;
  delete made;
  return SUCCESS;
}

extern "C" {

int cublasLtCreate(void** handle) {
  if (!handle) return INVALID_VALUE;
  if (!control.device) return NOT_INITIALIZED;
  *handle = &handle_of_device;
  return SUCCESS;
}

int cublasLtMatmulDescCreate(Description** d, int compute, int scale) {
  if (!d) return INVALID_VALUE;
  *d = new Description{compute, scale};
  control.descriptors++;
  return SUCCESS;
}
int cublasLtMatmulDescDestroy(Description* d) { return destroy(d); }
int cublasLtMatmulDescSetAttribute(Description* d, int attribute, const void* value, size_t size) {
  if (!d) return INVALID_VALUE;
  switch (attribute) {
    case 3: return set(&d->trans[0], value, size);
    case 4: return set(&d->trans[1], value, size);
    case 7: return set(&d->epilogue, value, size);
    case 8: return set(&d->bias, value, size);
    case 10: return set(&d->bias_step, value, size);
  }
  return INVALID_VALUE;
}

int cublasLtMatrixLayoutCreate(Layout** l, int type, uint64_t rows, uint64_t cols, int64_t ld) {
  if (!l) return INVALID_VALUE;
  *l = new Layout{type, rows, cols, ld};
  control.descriptors++;
  return SUCCESS;
}
int cublasLtMatrixLayoutDestroy(Layout* l) { return destroy(l); }
int cublasLtMatrixLayoutSetAttribute(Layout* l, int attribute, const void* value, size_t size) {
  if (!l) return INVALID_VALUE;
  switch (attribute) {
    case 5: return set(&l->batch, value, size);
    case 6: return set(&l->step, value, size);
  }
  return INVALID_VALUE;
}

int cublasLtMatmulPreferenceCreate(Preference** p) {
  if (!p) return INVALID_VALUE;
  *p = new Preference;
  control.descriptors++;
  return SUCCESS;
}
int cublasLtMatmulPreferenceDestroy(Preference* p) { return destroy(p); }
int cublasLtMatmulPreferenceSetAttribute(Preference* p, int attribute, const void* value, size_t size) {
  if (!p) return INVALID_VALUE;
  switch (attribute) {
    case 1: return set(&p->workspace, value, size);
    case 3: return set(&p->schemes, value, size);
    case 5: case 6: case 7: case 8: return set(&p->alignment[attribute - 5], value, size);
  }
  return INVALID_VALUE;
}

int cublasLtMatmulAlgoGetHeuristic(void* handle, const Description* d, const Layout* a, const Layout* b, const Layout* c,
                                   const Layout* out, const Preference* p, int wanted, Result* results, int* found) {
  if (handle != &handle_of_device) return NOT_INITIALIZED;
  if (!d || !a || !b || !c || !out || !p || !results || !found || wanted < 1) return INVALID_VALUE;
  const Layout* m[] = {a, b, c, out};
  *found = 0;
  if (control.refuse_sizes) return INVALID_VALUE;
  if (const int verdict = judge(*d, m)) return verdict;
  Result& r = results[0];
  r = {};
  // Long sums of few results are cut in two where it is allowed, which takes memory.
  const uint64_t inner = d->trans[0] ? a->rows : a->cols;
  if (inner >= 64 && (p->schemes & 2)) r.workspace = std::min<uint64_t>(p->workspace, out->rows * out->cols * 8);
  r.algo.data[0] = problem(*d, m);
  r.algo.data[1] = r.workspace;
  for (int i = 0; i < 4; i++) r.algo.data[2 + i] = p->alignment[i];
  r.algo.data[6] = d->epilogue == 4 ? (uint64_t)d->bias & -(uint64_t)d->bias : 0;
  control.schemes = p->schemes;
  control.plans++;
  *found = 1;
  return SUCCESS;
}

int cublasLtMatmul(void* handle, const Description* d, const void* alpha, const void* A, const Layout* a, const void* B,
                   const Layout* b, const void* beta, const void* C, const Layout* c, void* D, const Layout* out,
                   const Algorithm* algo, void* workspace, size_t size, void* stream) {
  if (handle != &handle_of_device) return NOT_INITIALIZED;
  if (!d || !alpha || !A || !a || !B || !b || !beta || !C || !c || !D || !out || !algo) return INVALID_VALUE;
  const Layout* m[] = {a, b, c, out};
  if (const int verdict = judge(*d, m)) return verdict;
  if (algo->data[0] != problem(*d, m) || size < algo->data[1] || (size && !workspace)) return INVALID_VALUE;
  const void* at[] = {A, B, C, D};
  for (int i = 0; i < 4; i++)
    if ((uint64_t)at[i] % algo->data[2 + i]) return INVALID_VALUE;
  if (d->epilogue == 4 && (!d->bias || (uint64_t)d->bias % std::min<uint64_t>(algo->data[6], 256))) return INVALID_VALUE;
  if (C == D && c->ld != out->ld) return INVALID_VALUE;  // in place only with one layout
  control.stream = stream;
  control.compute = d->compute;
  control.type = a->type;
  control.epilogue = d->epilogue;
  control.batch = out->batch;
  control.workspace = size;
  if (const int status = control.fail) { control.fail = 0; return status; }
  if (size) std::memset(workspace, 0xff, size);  // it is the algorithm's, and must be nobody else's
  control.products++;
  const uint64_t inner = d->trans[0] ? a->rows : a->cols;
  const bool wide = d->compute == C_64F;
  const double scale = wide ? *(const double*)alpha : *(const float*)alpha, keep = wide ? *(const double*)beta : *(const float*)beta;
  for (int64_t n = 0; n < out->batch; n++)
    for (uint64_t j = 0; j < out->cols; j++)
      for (uint64_t i = 0; i < out->rows; i++) {
        double sum = 0;
        float single = 0;
        for (uint64_t k = 0; k < inner; k++) {
          const double x = load(A, n * a->step + (d->trans[0] ? k + i * a->ld : i + k * a->ld), a->type);
          const double y = load(B, n * b->step + (d->trans[1] ? j + k * b->ld : k + j * b->ld), b->type);
          if (wide) sum += x * y;
          else if (d->compute == C_TF32) single += tf32((float)x) * tf32((float)y);
          else single += (float)x * (float)y;
        }
        const int64_t place = n * out->step + i + j * out->ld;
        double value = scale * (wide ? sum : single);
        if (keep != 0) value += keep * load(C, n * c->step + i + j * c->ld, c->type);
        if (d->epilogue == 4) value += load(d->bias, n * d->bias_step + i, out->type);
        store(D, place, out->type, value);
      }
  return SUCCESS;
}

}  // extern "C"
