"""Images as bytes: from rows of reals, from the book's lists of (image, target), from text. Part of native.pyx."""

cdef int64_t PACKED_BYTES = 1 << 28  # of reals that are looked at between two signals
cdef int64_t PACKED_PIECE = 8192  # reals that one thread packs at a time
FACTORS = (255.0, 256.0, 1.0)


cdef uint8_rows(int64_t n, int64_t inputs):
    """A new array (n, inputs) of uint8, in memory that is not NumPy's.

    NumPy asks for huge pages. Where a virtual machine returns to its host what has been freed, and the host hands it out
    in small ones, packing then takes more than twice as long.
    """
    return np.frombuffer(PyByteArray_FromStringAndSize(NULL, n * inputs), np.uint8).reshape(n, inputs)


cdef bint pack_by(cnp.ndarray X, double factor, double tolerance, cnp.ndarray packed) except -1:
    """Write reals X, contiguous, times ``factor`` as bytes; False if some is no byte to the relative tolerance."""
    cdef uint8_t *to = <uint8_t *>cnp.PyArray_DATA(packed)
    cdef int64_t size = cnp.PyArray_SIZE(X), count = size // PACKED_PIECE, rest = size % PACKED_PIECE, done, here
    cdef int64_t step = PACKED_PIECE * cnp.PyArray_ITEMSIZE(X)
    cdef int64_t slice_pieces = PACKED_BYTES // step
    cdef const fnn_kernels *kernels = table(X)
    cdef int threads = threads_for(size, FNN_PACK_THREAD_WORK)
    cdef bint fits
    cdef uintptr_t[::1] pieces = <uintptr_t>cnp.PyArray_DATA(X) + np.arange(count + 1, dtype=np.uintp) * np.uintp(step)
    for done in range(0, count, slice_pieces):
        here = min(count - done, slice_pieces)
        with nogil:
            fits = kernels.pack_pixels(<void **>&pieces[done], here, PACKED_PIECE, factor, tolerance,
                                       to + done * PACKED_PIECE, threads)
        if not fits:
            return False
        PyErr_CheckSignals()
    return kernels.pack_pixels(<void **>&pieces[count], 1, rest, factor, tolerance, to + count * PACKED_PIECE, 1)


def pack_rows(cnp.ndarray X):
    """Rows (n, inputs) of float32 or float64 as (uint8 (n, inputs), scale): their product is X to a rounding.

    None if some value is neither k / 255, nor k / 256, nor k, for a whole 0 <= k <= 255 and one rule for all.
    """
    cdef double factor, tolerance = np.finfo(X.dtype).eps
    cdef cnp.ndarray packed = uint8_rows(cnp.PyArray_DIM(X, 0), cnp.PyArray_DIM(X, 1))
    for factor in FACTORS:
        if pack_by(X, factor, tolerance, packed):
            return packed, 1 / factor
    return None


def whole_bytes(cnp.ndarray X):
    """Rows (n, inputs) of float32 or float64, C-contiguous, as uint8 of the same values; None if these are no bytes."""
    cdef cnp.ndarray packed = uint8_rows(cnp.PyArray_DIM(X, 0), cnp.PyArray_DIM(X, 1))
    return packed if pack_by(X, 1.0, 0.0, packed) else None


def block_csc(cnp.ndarray X, double scale, int64_t batch_size):
    """spec's BlockCSC of rows (n, inputs) of uint8, times ``scale``, or of float32 or float64, in batches of so many.

    None if pack_rows would not pack the reals, or if half of the inputs are other than zero in some batch.
    """
    cdef int64_t n = cnp.PyArray_DIM(X, 0), inputs = cnp.PyArray_DIM(X, 1)
    cdef int64_t slice_rows = max(1, PACKED_BYTES // (batch_size * inputs * cnp.PyArray_ITEMSIZE(X))) * batch_size
    cdef const fnn_kernels *kernels = table(X)
    cdef size_t arena_bytes
    cdef int threads = threads_for(n * inputs, FNN_PACK_THREAD_WORK)
    cdef uint8_t[:, ::1] storage = uint8_rows(1, kernels.stored_bytes(n, inputs, batch_size, &arena_bytes))
    cdef Arena arena = Arena(arena_bytes * threads)
    cdef bint is_uint8 = cnp.PyArray_TYPE(X) == cnp.NPY_UINT8
    cdef fnn_storing job = fnn_storing(cnp.PyArray_DATA(X), is_uint8, inputs, batch_size, 0, 0, 1.0, arena.start,
                                       &storage[0, 0], 0)
    for factor in FACTORS[2:] if is_uint8 else FACTORS:
        job.end = job.failed = 0
        job.factor = factor
        while job.end < n and not job.failed:
            job.first, job.end = job.end, min(n, job.end + slice_rows)
            with nogil:
                fnn_parallel(kernels.store_block_csc, &job, threads)
            PyErr_CheckSignals()
        if not job.failed:
            return BlockCSC(np.asarray(storage), scale if is_uint8 else 1 / job.factor)
    return None


def prepare_rows(cnp.ndarray X, double scale, int64_t outputs, int64_t epochs, int64_t batch_size):
    """Rows (n, inputs), of bytes times ``scale`` or of reals, as ``epochs`` of training ``outputs`` units read them fastest.

    Returns (X, scale, block_csc): the same rows to a rounding, as they are, as bytes, or as they are with a BlockCSC of
    batches of ``batch_size``, which come again every epoch; 0: rows are shuffled.
    """
    cdef bint is_uint8 = cnp.PyArray_TYPE(X) == cnp.NPY_UINT8
    cdef fnn_preparation_request request = fnn_preparation_request(
        cnp.PyArray_DIM(X, 0), cnp.PyArray_DIM(X, 1), outputs, epochs, batch_size, is_uint8, forced_rows)
    cdef int way = fnn_plan_preparation(&request, 0)
    if way == ROWS_TO_BLOCK_CSC:
        made = block_csc(X, scale, batch_size)
        if made is not None:
            return X, scale, made
        way = fnn_plan_preparation(&request, 1)
    packed = pack_rows(X) if way == ROWS_TO_BYTES else None
    return (X, scale, None) if packed is None else (*packed, None)


cdef bint is_column(object array, int64_t height, int kind) noexcept:
    """Whether an object is a plain, aligned, contiguous array (height, 1) of NumPy's type number ``kind``."""
    return (
        type(array) is cnp.ndarray
        and cnp.PyArray_NDIM(<cnp.ndarray>array) == 2
        and cnp.PyArray_DIM(<cnp.ndarray>array, 0) == height
        and cnp.PyArray_DIM(<cnp.ndarray>array, 1) == 1
        and cnp.PyArray_TYPE(<cnp.ndarray>array) == kind
        and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array)
    )


def pack_pairs(list pairs, int64_t inputs, int64_t outputs):
    """Images and targets of a list of tuples (x, y), x (inputs, 1) of one type and y (outputs, 1) float64.

    Returns (X uint8 (n, inputs), scale, y float64 (n, outputs), places): pair k's x is X[places[k]] * scale, to a
    rounding if it is float64, and its y is y[places[k]]. None if the list is anything else, or holds values that are no
    multiples of 1/256 or, in float64, of 1/255.
    """
    cdef int64_t n = len(pairs), i
    cdef int threads = threads_for(n * inputs, FNN_PACK_THREAD_WORK)
    cdef tuple pair
    cdef list kept = pairs[:]  # keeps the tuples, and so the arrays, while the lock is released
    if n == 0 or type(kept[0]) is not tuple or len(kept[0]) != 2 or type(kept[0][0]) is not cnp.ndarray:
        return None
    cdef int kind = cnp.PyArray_TYPE(<cnp.ndarray>(<tuple>kept[0])[0])
    if kind not in (cnp.NPY_UINT8, cnp.NPY_FLOAT32, cnp.NPY_FLOAT64):
        return None
    addresses, targets, places = np.empty(n, np.uintp), np.empty((n, outputs)), np.arange(n)
    cdef uintptr_t[::1] columns = addresses
    cdef double[:, ::1] y = targets
    for i in range(n):
        if type(kept[i]) is not tuple:
            return None
        pair = <tuple>kept[i]
        if len(pair) != 2 or not is_column(pair[0], inputs, kind) or not is_column(pair[1], outputs, cnp.NPY_FLOAT64):
            return None
        columns[i] = <uintptr_t>cnp.PyArray_DATA(<cnp.ndarray>pair[0])
        memcpy(&y[i, 0], cnp.PyArray_DATA(<cnp.ndarray>pair[1]), outputs * sizeof(double))
    if (addresses[1:] < addresses[: n - 1]).any():  # a list that was shuffled: read the images as they lie in memory
        order = np.argsort(addresses, kind="stable")
        places[order] = np.arange(n)
        columns, targets = addresses[order], targets[order]
    cdef uint8_t[:, ::1] X = uint8_rows(n, inputs)
    cdef bint packed
    if kind == cnp.NPY_UINT8:
        for i in range(n):
            memcpy(&X[i, 0], <void *>columns[i], inputs)
        return np.asarray(X), 1.0, targets, places
    cdef const fnn_kernels *kernels = unit.f32 if kind == cnp.NPY_FLOAT32 else unit.f64
    cdef double factor, tolerance = 0 if kind == cnp.NPY_FLOAT32 else 2.3e-16
    for factor in [256.0] if kind == cnp.NPY_FLOAT32 else [256.0, 255.0]:
        with nogil:
            packed = kernels.pack_pixels(<void **>&columns[0], n, inputs, factor, tolerance, &X[0, 0], threads)
        if packed:
            return np.asarray(X), 1 / factor, targets, places
    return None


def parse_fields(const uint8_t[::1] text, int64_t columns):
    """Lines of ``columns`` fields as uint8 (lines, columns). The text is empty or ends with a newline.

    None unless every field is one to three digits and at most 255, with commas alone between them.
    """
    cdef int64_t size = text.shape[0], lines
    if size == 0:
        return np.empty((0, columns), np.uint8)
    cdef uint8_t[::1] values = np.empty(size // 2 + 1, np.uint8)
    with nogil:
        lines = fnn_parse_fields(&text[0], size, columns, &values[0])
    return None if lines < 0 else np.asarray(values)[:lines * columns].reshape(lines, columns)
