"""The names that programs of TensorFlow 1 and 2 look up, by module, below ``tensorflow``."""

from __future__ import annotations

TENSORFLOW = {
    "": """
        AUTO_REUSE AggregationMethod AttrValue ConditionalAccumulator ConfigProto CriticalSection DType
        DeviceSpec Dimension Event FIFOQueue FixedLenFeature FixedLenSequenceFeature GPUOptions GradientTape
        Graph GraphKeys GraphOptions IndexedSlices IndexedSlicesSpec InteractiveSession LogMessage Module
        NoGradient NodeDef OpError Operation OptimizerOptions OptionalSpec PaddingFIFOQueue Print PriorityQueue
        QueueBase RaggedTensor RaggedTensorSpec RandomShuffleQueue ReaderBase RegisterGradient RunMetadata
        RunOptions Session SessionLog SparseFeature SparseTensor SparseTensorSpec SparseTensorValue Summary
        TFRecordReader Tensor TensorArray TensorArraySpec TensorInfo TensorShape TensorSpec TextLineReader
        TypeSpec UnconnectedGradients VarLenFeature Variable VariableAggregation VariableScope
        VariableSynchronization WholeFileReader abs accumulate_n acos acosh add add_check_numerics_ops add_n
        add_to_collection all_variables approx_top_k arg_max arg_min argmax argmin argsort as_dtype as_string
        asin asinh assert_equal assert_greater assert_less assert_rank assert_variables_initialized assign
        assign_add assign_sub atan atan2 atanh batch_to_space bfloat16 bincount bitcast bool boolean_mask
        broadcast_dynamic_shape broadcast_static_shape broadcast_to case cast ceil check_numerics cholesky
        clip_by_average_norm clip_by_global_norm clip_by_norm clip_by_value colocate_with complex complex128
        complex64 concat cond confusion_matrix conj constant constant_initializer container control_dependencies
        conv convert_to_tensor convert_to_tensor_or_sparse_tensor convert_variables_to_constants cos cosh
        count_nonzero count_up_to create_partitioned_variables cross cumprod cumsum custom_gradient decode_csv
        decode_raw depth_to_space dequantize device diag digamma dimension_value disable_eager_execution
        disable_resource_variables disable_v2_behavior div div_no_nan divide double dtypes dynamic_partition
        dynamic_stitch edit_distance eig eigvals einsum enable_eager_execution enable_resource_variables
        enable_v2_behavior ensure_shape equal erf erfc executing_eagerly exp expand_dims expm1
        extract_image_patches extract_volume_patches eye fft fill fingerprint float16 float32 float64 floor
        floordiv floormod foldl foldr function gather gather_nd get_collection get_collection_ref
        get_current_name_scope get_default_graph get_default_session get_local_variable get_logger
        get_session_handle get_static_value get_variable get_variable_scope global_norm global_variables
        global_variables_initializer grad_pass_through gradient_type gradients greater greater_equal group
        guarantee_const half hessians histogram_fixed_width identity identity_n ifft imag import_graph_def
        init_scope initialize_all_variables inside_function int16 int32 int64 int8 invert_permutation is_finite
        is_inf is_nan is_non_decreasing is_numeric_tensor is_strictly_increasing is_symbolic_tensor is_tensor
        is_variable_initialized lbeta less less_equal lgamma lin_space linspace load_file_system_library
        load_library load_op_library local_variables local_variables_initializer log log1p log_sigmoid
        logical_and logical_not logical_or logical_xor make_ndarray make_template make_tensor_proto map_fn
        matching_files matmul matrix_band_part matrix_determinant matrix_inverse matrix_solve matrix_square_root
        maximum meshgrid min_max_variable_partitioner minimum mod model_variables moving_average_variables
        multinomial multiply name_scope negative newaxis no_gradient no_op nondifferentiable_batch_function norm
        not_equal numpy_function one_hot ones ones_initializer ones_like op_scope pad parallel_stack
        parse_example parse_single_example placeholder placeholder_with_default pow print py_func py_function
        qint16 qint32 qint8 qr quantize quantize_v2 quantized_concat quint16 quint8 random_crop random_gamma
        random_normal random_normal_initializer random_poisson random_shuffle random_uniform
        random_uniform_initializer range rank read_file real realdiv reciprocal recompute_grad reduce_all
        reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum
        reduce_variance register_tensor_conversion_function repeat report_uninitialized_variables
        required_space_to_batch_paddings reset_default_graph reshape resource reverse reverse_sequence roll
        round row_wise_unsorted_segment rsqrt saturate_cast scalar_mul scan scatter_add scatter_nd
        scatter_update searchsorted segment_max segment_mean segment_sum sequence_mask set_random_seed shape
        shape_n sigmoid sign sin sinh size slice sort space_to_batch space_to_batch_nd space_to_depth
        sparse_placeholder sparse_tensor_dense_matmul sparse_to_dense split sqrt square squared_difference
        squeeze stack stop_gradient strided_slice string string_join subtract switch_case tables_initializer tan
        tanh tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub
        tensor_scatter_nd_update tensordot tile timestamp to_bfloat16 to_double to_float to_int32 to_int64
        trainable_variables transpose truediv truncated_normal truncated_normal_initializer truncatediv
        truncatemod tuple type_spec_from_value uint16 uint32 uint64 uint8 uniform_unit_scaling_initializer
        unique unique_with_counts unravel_index unstack variable_axis_size_partitioner variable_creator_scope
        variable_op_scope variable_scope variables_initializer variance_scaling_initializer variant
        vectorized_map verify_tensor_all_finite where while_loop zeros zeros_initializer zeros_like
    """,
    "app": "flags run",
    "audio": "decode_wav encode_wav",
    "autodiff": "ForwardAccumulator GradientTape",
    "autograph": "experimental set_verbosity to_code to_graph trace",
    "bitwise": "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift",
    "compat": """
        as_bytes as_str as_str_any as_text bytes_or_text_types dimension_at_index dimension_value
        forward_compatible path_to_str
    """,
    "compat.v1": "",
    "compat.v2": "",
    "config": """
        LogicalDevice LogicalDeviceConfiguration PhysicalDevice experimental_connect_to_cluster
        experimental_connect_to_host experimental_functions_run_eagerly functions_run_eagerly
        get_logical_device_configuration get_soft_device_placement
    """,
    "contrib": """
        cluster_resolver crf cudnn_rnn data distribute distributions eager estimator factorization
        feature_column framework gan image keras layers legacy_seq2seq lookup losses metrics nn opt optimizer
        predictor quantize rnn saved_model seq2seq slim summary tensorboard tensorrt tfprof tpu training
    """,
    "contrib.learn": """
        DNNClassifier DNNRegressor LinearClassifier LinearRegressor datasets extract_pandas_data
        infer_real_valued_columns_from_input
    """,
    "data": """
        AUTOTUNE Dataset DatasetSpec FixedLengthRecordDataset INFINITE_CARDINALITY Iterator IteratorSpec
        NumpyIterator Options TFRecordDataset TextLineDataset ThreadingOptions UNKNOWN_CARDINALITY
    """,
    "data.experimental": """
        AUTOTUNE CsvDataset TFRecordWriter cardinality get_single_element make_csv_dataset prefetch_to_device
    """,
    "debugging": """
        Assert assert_all_finite assert_equal assert_greater assert_less assert_near assert_none_equal
        assert_rank assert_shapes assert_type check_numerics disable_check_numerics enable_check_numerics
        get_log_device_placement is_numeric_tensor set_log_device_placement
    """,
    "distribute": """
        CentralStorageStrategy DistributedDataset DistributedIterator DistributedValues
        HierarchicalCopyAllReduce InputContext MirroredStrategy MultiWorkerMirroredStrategy NcclAllReduce
        OneDeviceStrategy ParameterServerStrategy ReduceOp ReductionToOneDevice ReplicaContext RunOptions Server
        Strategy TPUStrategy cluster_resolver experimental get_replica_context get_strategy has_strategy
        in_cross_replica_context
    """,
    "errors": """
        AbortedError AlreadyExistsError CancelledError DataLossError DeadlineExceededError
        FailedPreconditionError InternalError InvalidArgumentError NotFoundError OpError OutOfRangeError
        PermissionDeniedError ResourceExhaustedError UnauthenticatedError UnavailableError UnimplementedError
        UnknownError
    """,
    "estimator": """
        BaselineClassifier BaselineEstimator BaselineRegressor BestExporter BoostedTreesClassifier
        BoostedTreesRegressor CheckpointSaverHook DNNClassifier DNNEstimator DNNLinearCombinedClassifier
        DNNLinearCombinedRegressor DNNRegressor Estimator EstimatorSpec EvalSpec FinalExporter LatestExporter
        LinearClassifier LinearEstimator LinearRegressor ModeKeys RunConfig TrainSpec
        classifier_parse_example_spec export inputs train_and_evaluate
    """,
    "examples": "",
    "examples.tutorials": "",
    "examples.tutorials.mnist": "mnist",
    "examples.tutorials.mnist.input_data": "read_data_sets",
    "experimental": """
        BatchableExtensionType DynamicRaggedShape ExtensionType Optional RowPartition StructuredTensor
        async_clear_error async_scope dispatch_for_api dlpack dtensor extension_type function_executor_type
        numpy register_filesystem_plugin tensorrt
    """,
    "feature_column": """
        bucketized_column categorical_column_with_hash_bucket categorical_column_with_identity
        categorical_column_with_vocabulary_file categorical_column_with_vocabulary_list crossed_column
        embedding_column indicator_column input_layer linear_model make_parse_example_spec numeric_column
        shared_embeddings weighted_categorical_column
    """,
    "flags": "DEFINE_bool DEFINE_boolean DEFINE_float DEFINE_integer DEFINE_string FLAGS",
    "gfile": "Exists FastGFile GFile Glob IsDirectory ListDirectory MakeDirs MkDir Open Remove",
    "graph_util": "import_graph_def",
    "image": """
        ResizeMethod adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop
        convert_image_dtype crop_and_resize crop_to_bounding_box decode_and_crop_jpeg decode_bmp decode_gif
        decode_image decode_jpeg decode_png encode_jpeg encode_png extract_patches flip_left_right flip_up_down
        grayscale_to_rgb hsv_to_rgb image_gradients non_max_suppression pad_to_bounding_box
        per_image_standardization psnr random_brightness random_contrast random_crop random_flip_left_right
        random_flip_up_down random_hue random_saturation resize resize_with_crop_or_pad resize_with_pad
        rgb_to_grayscale rgb_to_hsv rot90 sobel_edges ssim total_variation transpose
    """,
    "io": """
        FixedLenFeature FixedLenSequenceFeature RaggedFeature SparseFeature TFRecordOptions TFRecordWriter
        VarLenFeature decode_and_crop_jpeg decode_base64 decode_bmp decode_csv decode_gif decode_image
        decode_jpeg decode_json_example decode_png decode_proto decode_raw encode_base64 encode_jpeg encode_png
        gfile match_filenames_once matching_files parse_example parse_single_example parse_tensor read_file
        serialize_sparse serialize_tensor write_file write_graph
    """,
    "layers": """
        BatchNormalization Conv1D Conv2D Dense Dropout Flatten InputSpec Layer MaxPooling2D average_pooling1d
        average_pooling2d batch_normalization conv1d conv2d conv2d_transpose conv3d dense dropout flatten
        max_pooling1d max_pooling2d separable_conv2d
    """,
    "linalg": """
        LinearOperator adjoint band_part cholesky cholesky_solve cross det diag diag_part eig eigh eigvals
        eigvalsh einsum expm eye global_norm inv l2_normalize logdet logm lstsq lu matmul matrix_rank
        matrix_transpose matvec norm normalize pinv qr set_diag slogdet solve sqrtm svd tensor_diag tensordot
        trace triangular_solve
    """,
    "lite": "Interpreter OpsSet Optimize RepresentativeDataset TFLiteConverter TargetSpec experimental",
    "lookup": "KeyValueTensorInitializer StaticHashTable StaticVocabularyTable TextFileIndex TextFileInitializer",
    "math": """
        abs accumulate_n acos acosh add add_n angle argmax argmin asin asinh atan atan2 atanh bessel_i0 betainc
        bincount ceil confusion_matrix conj cos cosh count_nonzero cumprod cumsum cumulative_logsumexp digamma
        divide divide_no_nan equal erf erfc erfinv exp expm1 floor floordiv floormod greater greater_equal
        igamma imag in_top_k invert_permutation is_finite is_inf is_nan is_non_decreasing is_strictly_increasing
        l2_normalize lbeta less less_equal lgamma log log1p log_sigmoid log_softmax logical_and logical_not
        logical_or logical_xor maximum minimum mod multiply multiply_no_nan ndtri negative nextafter not_equal
        polygamma polyval pow real reciprocal reciprocal_no_nan reduce_all reduce_any reduce_euclidean_norm
        reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum reduce_variance
        rint round rsqrt scalar_mul segment_max segment_mean segment_min segment_sum sigmoid sign sin sinh
        sobol_sample softmax softplus softsign sqrt square squared_difference subtract tan tanh top_k truediv
        unsorted_segment_sum xdivy xlog1py xlogy zero_fraction zeta
    """,
    "mixed_precision": "",
    "nest": "assert_same_structure flatten is_nested map_structure pack_sequence_as",
    "nn": """
        RNNCellDropoutWrapper all_candidate_sampler approx_max_k atrous_conv2d avg_pool avg_pool1d avg_pool2d
        avg_pool3d batch_norm_with_global_normalization batch_normalization bias_add bidirectional_dynamic_rnn
        collapse_repeated compute_accidental_hits compute_average_loss conv1d conv1d_transpose conv2d
        conv2d_transpose conv3d convolution crelu ctc_loss depth_to_space depthwise_conv2d dilation2d dropout
        dynamic_rnn elu embedding_lookup embedding_lookup_sparse erosion2d gelu in_top_k isotonic_regression
        l2_loss l2_normalize leaky_relu local_response_normalization log_poisson_loss log_softmax lrn max_pool
        max_pool1d max_pool2d max_pool3d moments nce_loss normalize_moments pool relu relu6 relu_layer rnn_cell
        sampled_softmax_loss scale_regularization_loss selu separable_conv2d sigmoid
        sigmoid_cross_entropy_with_logits silu softmax softmax_cross_entropy_with_logits
        softmax_cross_entropy_with_logits_v2 softplus softsign space_to_batch space_to_depth
        sparse_softmax_cross_entropy_with_logits static_rnn sufficient_statistics swish tanh top_k
        weighted_cross_entropy_with_logits weighted_moments with_space_to_batch xw_plus_b zero_fraction
    """,
    "profiler": "experimental",
    "python": "",
    "python.client": "",
    "python.client.device_lib": "",
    "python.framework": "",
    "python.framework.ops": "Graph GraphKeys Tensor convert_to_tensor get_default_graph name_scope reset_default_graph",
    "python.ops": "array_ops control_flow_ops init_ops math_ops nn_ops rnn rnn_cell state_ops variable_scope variables",
    "python.platform": "gfile tf_logging",
    "python.util": "deprecation nest",
    "quantization": "dequantize fake_quant_with_min_max_args fake_quant_with_min_max_vars quantize quantized_concat",
    "queue": "FIFOQueue PaddingFIFOQueue PriorityQueue QueueBase RandomShuffleQueue",
    "ragged": """
        boolean_mask constant cross map_flat_values range row_splits_to_segment_ids segment_ids_to_row_splits
        stack stack_dynamic_partitions
    """,
    "random": """
        Algorithm Generator all_candidate_sampler categorical create_rng_state experimental
        fixed_unigram_candidate_sampler fold_in gamma get_global_generator learned_unigram_candidate_sampler
        log_uniform_candidate_sampler multinomial normal poisson set_global_generator shuffle split
        stateless_binomial stateless_categorical stateless_gamma stateless_normal stateless_poisson
        stateless_shuffle stateless_truncated_normal stateless_uniform truncated_normal uniform
        uniform_candidate_sampler
    """,
    "raw_ops": "",
    "saved_model": "Asset LoadOptions SaveOptions contains_saved_model load save",
    "sets": "difference intersection size union",
    "signal": """
        dct fft fft2d frame hamming_window hann_window idct ifft inverse_stft irfft linear_to_mel_weight_matrix
        mfccs_from_log_mel_spectrograms overlap_and_add rfft stft
    """,
    "sparse": """
        SparseTensor add concat cross expand_dims eye fill_empty_rows from_dense mask maximum reduce_max
        reduce_sum reorder reset_shape reshape retain segment_mean segment_sum slice softmax sparse_dense_matmul
        split to_dense to_indicator transpose
    """,
    "strings": """
        as_string bytes_split format join length lower ngrams reduce_join regex_full_match regex_replace split
        strip substr to_hash_bucket to_number unicode_decode unicode_split upper
    """,
    "summary": """
        FileWriter SummaryWriter audio create_file_writer create_noop_writer flush graph histogram image merge
        merge_all record_if scalar should_record_summaries text trace_export trace_off trace_on write
    """,
    "sysconfig": "get_build_info get_compile_flags get_include get_lib get_link_flags",
    "test": "Benchmark TestCase assert_equal_graph_def create_local_cluster main",
    "tpu": "XLAOptions experimental",
    "train": """
        AdadeltaOptimizer AdagradOptimizer AdamOptimizer BytesList Checkpoint CheckpointManager
        CheckpointOptions CheckpointView ClusterDef ClusterSpec Coordinator Example ExponentialMovingAverage
        Feature FeatureList FeatureLists Features FloatList FtrlOptimizer GradientDescentOptimizer Int64List
        JobDef MomentumOptimizer MonitoredTrainingSession Optimizer RMSPropOptimizer Saver SequenceExample
        ServerDef batch checkpoints_iterator cosine_decay exponential_decay get_checkpoint_state get_global_step
        get_or_create_global_step global_step import_meta_graph inverse_time_decay latest_checkpoint
        list_variables load_checkpoint load_variable natural_exp_decay piecewise_constant polynomial_decay
        shuffle_batch start_queue_runners write_graph
    """,
    "types": "experimental",
    "version": "",
    "xla": "experimental",
}
