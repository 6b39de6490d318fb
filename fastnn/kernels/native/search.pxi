"""Nearest neighbours, and the codes that prune. Part of native.pyx."""


def neighbors(metric, cnp.ndarray X, cnp.ndarray Q, codes, double limit, double[:, ::1] values,
              int64_t[:, ::1] indices):
    """See fastnn.kernels.spec.Kernels.neighbors."""
    cdef fnn_search search
    memset(&search, 0, sizeof(search))
    search.metric, search.is_uint8, search.limit = metric, cnp.PyArray_TYPE(X) == cnp.NPY_UINT8, limit
    search.rows, search.queries, search.columns = cnp.PyArray_DIM(X, 0), cnp.PyArray_DIM(Q, 0), cnp.PyArray_DIM(X, 1)
    search.x, search.q, search.k = cnp.PyArray_DATA(X), cnp.PyArray_DATA(Q), values.shape[1]
    cdef int64_t code_count = 0
    if search.queries == 0 or search.k == 0:
        return
    search.values, search.indices = &values[0, 0], &indices[0, 0]
    level = codes
    while level is not None and code_count < FNN_MOST_CODES:  # without the others less is ruled out, nothing wrongly
        search.codes[code_count] = codes_of(level)
        code_count, level = code_count + 1, level.finer
    cdef fnn_search_request request = request_of(metric, search.rows, search.queries, search.columns, search.k, X.dtype)
    if codes is not None:
        request.code_width, request.finer_codes, request.most_verified = (
            search.codes[0].width, code_count - 1, codes.most_verified)
    cdef fnn_search_plan plan = fnn_plan_search(&request)
    if plan.threads > 1:  # as in planned_for
        request.threads = threads_allowed()
        plan = fnn_plan_search(&request)
    search.plan = &plan
    cdef const fnn_kernels *kernels = unit.f64 if cnp.PyArray_TYPE(X) == cnp.NPY_FLOAT64 else unit.f32
    cdef Interrupt interrupt = Interrupt()
    cdef Arena arena = Arena(kernels.begin_search(&search, NULL, &interrupt.c))
    with nogil:
        kernels.begin_search(&search, arena.start, &interrupt.c)
        fnn_parallel(kernels.search_thread, arena.start, plan.threads)
    interrupt.end()


cdef fnn_codes codes_of(codes):
    """spec's Codes, but the finer ones, for C. The caller keeps them alive."""
    cdef const uint8_t[:, ::1] rows = codes.rows, queries = codes.queries
    cdef const float[::1] row_errors = codes.row_errors, query_errors = codes.query_errors
    return fnn_codes(rows.shape[1], &rows[0, 0], &queries[0, 0], &row_errors[0], &query_errors[0], codes.scale)


cdef fnn_search_request request_of(int64_t metric, int64_t rows, int64_t queries, int64_t columns, int64_t k, dtype):
    """What a search's plan depends on, without codes, on this machine."""
    return fnn_search_request(
        metric, rows, queries, columns, k, dtype == np.uint8, 8 if dtype == np.float64 else 4, 0, 0, 0, FNN_MAX_THREADS,
        vector_bytes, fnn_dot_of(unit), forced_queries, all_threads)


def prepare(cnp.ndarray rows, bint to_unit, cnp.ndarray mean, cnp.ndarray v):
    """Write rows (n, d) as they are coded into v (n, d); see spec.Capabilities.prepare."""
    cdef fnn_preparing p = fnn_preparing(
        cnp.PyArray_DIM(rows, 0), cnp.PyArray_DIM(rows, 1), cnp.PyArray_DATA(rows),
        cnp.PyArray_TYPE(rows) == cnp.NPY_UINT8, to_unit, cnp.PyArray_DATA(mean), cnp.PyArray_DATA(v))
    cdef const fnn_kernels *kernels = table(v)
    cdef int threads = threads_for(p.rows * p.columns, FNN_ENCODE_THREAD_WORK)
    with nogil:
        fnn_parallel(kernels.prepare_thread, &p, threads)


def encode(cnp.ndarray rows, cnp.ndarray projected, grid, uint8_t[:, ::1] codes, uint8_t[:, ::1] finer,
           float[::1] errors):
    """Code some rows (n, d) on spec's Grid for fastnn.neighbors.codes; see spec.Capabilities.encode.

    ``projected`` (n, m) is R v; m = 0: the rows as they are. Writes codes (n, width), finer ones (n, m + 1) if
    m >= width, and the errors (n,).
    """
    cdef cnp.ndarray mean, low
    cdef double scale, offset
    mean, low, scale, offset = grid
    cdef fnn_encoding e = fnn_encoding(
        cnp.PyArray_DIM(rows, 0), cnp.PyArray_DIM(rows, 1), cnp.PyArray_DIM(projected, 1), codes.shape[1],
        cnp.PyArray_DATA(rows), cnp.PyArray_TYPE(rows) == cnp.NPY_UINT8, cnp.PyArray_DATA(projected), NULL,
        cnp.PyArray_DATA(low), scale, offset, NULL, &codes[0, 0], NULL, &errors[0])
    if cnp.PyArray_DIM(mean, 0):
        e.mean = cnp.PyArray_DATA(mean)
    if finer.shape[1]:
        e.finer = &finer[0, 0]
    cdef const fnn_kernels *kernels = table(low)
    cdef int threads = threads_for(e.rows * e.columns, FNN_ENCODE_THREAD_WORK)
    cdef Arena arena = Arena(kernels.encode_bytes(&e) * threads)
    e.arena = arena.start
    with nogil:
        fnn_parallel(kernels.encode_thread, &e, threads)
