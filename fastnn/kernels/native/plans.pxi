"""The plans of native's calls, for explain, the docs, and the tests that force choices. Part of native.pyx."""


def plan_search(metric, int64_t rows, int64_t queries, int64_t columns, int64_t k, dtype, *, int64_t code_width=0,
                int64_t finer_codes=0, double most_verified=float("inf"), threads=None, simd=None, dot=None):
    """How :func:`neighbors` goes, or would go, about one call with X (rows, columns), Q (queries, columns) and k.

    ``metric`` is a name of spec.METRICS and ``dtype`` that of X and Q. Codes, if any, have ``code_width`` bytes,
    spec.Codes' ``most_verified`` and so many ``finer_codes``. Another machine than this may be asked for: by the most
    ``threads`` of a call, by ``simd`` ("generic", "avx2", "avx512", "amx") and by what multiplies bytes, ``dot``
    ("madd", "vnni", "amx"; by default the best that such a CPU may have). Returns a spec.SearchPlan; nothing is
    computed, and the arrays need not exist.
    """
    cdef fnn_search_request request = request_of(METRICS.index(metric), rows, queries, columns, k, np.dtype(dtype))
    request.code_width, request.finer_codes, request.most_verified = code_width, finer_codes, most_verified
    request.threads = num_threads() if threads is None else threads
    if simd is not None:
        request.vector_bytes = VECTOR_BYTES[simd]
    if dot is not None or simd is not None:
        request.dot = DOTS.index(dot if dot is not None else BEST_DOT[simd])
    cdef fnn_search_plan plan = fnn_plan_search(&request)
    return SearchPlan(
        scan=fnn_names_of_scans[plan.scan].decode(),
        plain_scan=fnn_names_of_scans[plan.plain_scan].decode(),
        queries=fnn_names_of_query_groupings[plan.queries].decode(),
        plain_queries=fnn_names_of_query_groupings[plan.plain_queries].decode(),
        most_active=plan.most_active,
        dot=fnn_names_of_dots[plan.dot].decode(),
        tile_queries=plan.tile_queries,
        seeds=plan.seeds,
        finer_codes=plan.finer_codes,
        most_verified=plan.most_verified,
        grace=plan.grace,
        refine_cost=plan.refine_cost,
        buffer=plan.buffer,
        seed_buffer=plan.seed_buffer,
        unit_rows=plan.unit_rows,
        split=fnn_names_of_search_splits[plan.split].decode(),
        threads=plan.threads,
        block=plan.block,
        blocks=plan.blocks,
        parts=plan.parts,
    )


def override_plan(**choices):
    """Force choices of the plans, for the tests and the benchmark of their rules; None gives one back to the plan.

    ``inputs``: how first layers read them, "dense", "block-CSC" or "micro-batches" (online blocks have micro-batches of
    their own in place of the latter two). ``split``: "inputs", "outputs" of first layers at least four cache lines
    wide, or "samples" of batches that are not CSR; beyond 256 samples it is always the latter. ``rows``: what is made
    of rows before a training, "as they are", "bytes" or "block-CSC". ``queries``: plain searches of bytes take them in
    "tiles" or in "micro-batches". ``all_threads``: True lets calls use all threads that they may, however little their
    work is. What is left out stays as it was.
    """
    global forced_inputs, forced_split, forced_rows, forced_queries, all_threads
    for choice, name in choices.items():
        code = OVERRIDES[choice][name]
        if choice == "inputs":
            forced_inputs = code
        elif choice == "split":
            forced_split = code
        elif choice == "rows":
            forced_rows = code
        elif choice == "queries":
            forced_queries = code
        else:
            all_threads = code


OVERRIDES = {
    "inputs": {None: -1, "dense": DENSE, "block-CSC": BLOCK_CSC, "micro-batches": MICRO_BATCHES},
    "split": {None: -1, "inputs": SPLIT_INPUTS, "outputs": SPLIT_OUTPUTS, "samples": SPLIT_SAMPLES},
    "rows": {None: -1, "as they are": ROWS_AS_THEY_ARE, "bytes": ROWS_TO_BYTES, "block-CSC": ROWS_TO_BLOCK_CSC},
    "queries": {None: -1, "tiles": QUERIES_IN_TILES, "micro-batches": QUERIES_IN_MICRO_BATCHES},
    "all_threads": {None: 0, False: 0, True: 1},
}


def plan_training(net, X, *, purpose="training", dtype=None, batch_size=None, rule=None, order=None, bint block_csc=False,
                  threads=None, simd=None, density=None, offset_density=None, nonzeros=None):
    """The TrainPlan (see spec) of a call: what native would do, and why.

    ``X`` (n, inputs) of uint8, float32 or float64, or CSR, is looked at as the call would look at it. To ask about rows
    that are not there it is a tuple (n, dtype), with the mean ``nonzeros`` of a row of CSR, or else with the share ``density`` of their input blocks (4 inputs side by side) active,
    other than zero in some of the samples that share an index, and ``offset_density`` of these once each input's column
    offset is taken off (by default no fewer). ``purpose`` is "training", "gradient" (loss_grad), "outputs" (forward) or
    "layer gradient" (layer_grad). ``dtype``: the parameters', by default X's, or float32 for uint8. Of training:
    ``batch_size`` (by default all rows), ``rule`` (by default plain SGD), the ``order`` of the rows, and whether
    their ``block_csc`` is stored. ``threads`` and ``simd`` ("generic", "avx2", "avx512", "amx") may be another
    machine's. Raises KeyError for a name that is none of these.
    """
    cdef Net shape = Net(net)
    cdef bint hypothetical = isinstance(X, tuple)
    cdef int64_t rows = X[0] if hypothetical else len(X) if order is None else len(order)
    given = np.dtype(X[1]) if hypothetical else X.dtype
    real_type = np.dtype(np.float32 if given == np.uint8 else given) if dtype is None else np.dtype(dtype)
    cdef const fnn_kernels *kernels = unit.f32 if real_type == np.float32 else unit.f64
    cdef fnn_data data
    cdef Rule update = None if rule is None else Rule(rule, shape.c.layers)
    memset(&data, 0, sizeof(data))
    data.is_uint8 = given == np.uint8
    cdef int64_t nowhere = 0
    if nonzeros is not None:
        data.indptr, data.row_nonzeros = &nowhere, nonzeros
    elif not hypothetical:
        data = data_of(X, 1.0)
    cdef fnn_planned planned = planned_for(shape, PURPOSES[purpose], kernels, &data, update, rows, batch_size or rows)
    cdef fnn_train_request *request = &planned.request
    cdef Arena arena
    request.has_block_csc = block_csc
    request.threads = num_threads() if threads is None else threads
    if simd is not None:
        request.vector_bytes = VECTOR_BYTES[simd]
    if hypothetical:
        used = -1.0 if density is None else density
        request.density[0] = request.density[1] = fnn_density(used, used if offset_density is None else offset_density)
        request.ends_agree = 0
        planned.plan = fnn_plan_training(request)
        if planned.plan.needs:
            raise InvalidArgumentError("density", "the share of active input blocks, as this plan needs it", "none")
    else:
        planned.plan = fnn_plan_training(request)
        arena = Arena(kernels.arena_bytes(&shape.c, &planned))
        kernels.plan(&shape.c, &data, integers(order) if order is not None else NULL, &planned, arena.start)
    plan = planned.plan
    return TrainPlan(
        purpose, fnn_names_of_regimes[plan.regime].decode(), fnn_names_of_inputs[plan.inputs].decode(),
        fnn_names_of_offsets[plan.offset].decode(), fnn_names_of_splits[plan.split].decode(), plan.splits,
        fnn_names_of_weights[plan.weights].decode(), fnn_names_of_updates[plan.update].decode(),
        bool(plan.reads_ahead), plan.threads, plan.block, plan.span, plan.samples_sharing,
        None if plan.density.x < 0 else plan.density.x, None if plan.density.e < 0 else plan.density.e)


PURPOSES = {fnn_names_of_purposes[code].decode(): code for code in (TRAINING, GRADIENT, OUTPUTS, LAYER_GRADIENT)}
