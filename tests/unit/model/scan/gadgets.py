"""Names that known attacks use to run code, read files or import: none may ever be allowed.

Gathered from the advisories and block-lists of picklescan, modelscan and fickling.
"""

# ruff: noqa: E501 - a table reads best with one trick a line

GADGETS = """
__builtin__ apply; __builtin__ eval; __builtin__ execfile; builtins eval; builtins exec
builtins compile; builtins open; builtins getattr; builtins setattr; builtins delattr; builtins map
builtins filter; builtins globals; builtins locals; builtins vars; builtins __import__; builtins type
builtins breakpoint; builtins input; builtins print; builtins help; builtins memoryview; builtins super
os system; os popen; os execv; os spawnl; os posix_spawn; os remove; os fork; os environ
posix system; nt system; commands getoutput; subprocess Popen; subprocess run; subprocess call
subprocess check_output; sys exit; sys setrecursionlimit; sys modules; shutil rmtree; shutil move
socket socket; ssl get_server_certificate; pty spawn; runpy run_path; runpy _run_code
runpy run_module; timeit timeit; timeit main; timeit Timer; trace Trace.run; profile run; profile Profile.run
cProfile run; cProfile runctx; pdb run; pdb Pdb; bdb Bdb; bdb Bdb.run; doctest debug_script
doctest DocTestRunner; code InteractiveInterpreter; code InteractiveInterpreter.runcode; codeop compile_command
pickle loads; pickle load; _pickle loads; _pickle Unpickler; pickle Unpickler; marshal loads
types CodeType; types FunctionType; types MethodType; types ModuleType; types SimpleNamespace
ctypes CDLL; ctypes cdll; _ctypes dlopen; ctypes.util find_library; cffi FFI
operator attrgetter; operator itemgetter; operator methodcaller; operator call; _operator methodcaller
_operator attrgetter; functools reduce; functools partialmethod; itertools starmap
itertools count; itertools cycle; itertools repeat; importlib import_module; importlib reload
importlib._bootstrap _load; importlib.util spec_from_file_location; imp load_source
pkgutil resolve_name; pydoc locate; pydoc pipepager; pydoc tempfilepager; pydoc render_doc
zipimport zipimporter; site main; venv create; ensurepip _run_pip; pip main; pip._internal main
pip._internal.cli.main main; setuptools setup; distutils.core run_setup; distutils.file_util write_file
distutils.spawn spawn; asyncio create_subprocess_shell; asyncio.unix_events _UnixSubprocessTransport._start
asyncio run; multiprocessing Process; multiprocessing.util spawnv_passfds; threading Thread
concurrent.futures ThreadPoolExecutor; http.client HTTPSConnection; httplib HTTPSConnection
urllib.request urlopen; urllib.request urlretrieve; requests.api get; aiohttp ClientSession; webbrowser open
smtplib SMTP; ftplib FTP; imaplib IMAP4_stream; telnetlib Telnet; logging FileHandler
logging.config fileConfig; logging.config _resolve; io FileIO; _io FileIO; io open; _io open; io open_code
tempfile NamedTemporaryFile; tempfile mktemp; pathlib Path.write_text; pathlib Path.unlink; pathlib Path
linecache getline; fileinput input; glob glob; sqlite3 connect; dbm open; shelve open; csv reader
uuid _get_command_stdout; _osx_support _read_output; _aix_support _read_cmd_output
_pyrepl.pager pipe_pager; idlelib.autocomplete AutoComplete.get_entity; idlelib.calltip get_entity
idlelib.debugobj ObjectTreeItem.SetText; idlelib.pyshell ModifiedInterpreter.runcode
idlelib.run Executive.runcode; lib2to3.pgen2.grammar Grammar.loads; lib2to3.pgen2.pgen ParserGenerator.make_label
test.support.script_helper assert_python_ok; unittest.mock patch; unittest.mock _importer
warnings _setoption; sched scheduler; signal signal; atexit register; weakref finalize; weakref proxy
gc get_objects; inspect getattr_static; ast literal_eval; dis dis; string Formatter.format
copyreg __newobj__; copyreg __newobj_ex__; copyreg add_extension; copyreg pickle; copy _reconstruct; copy deepcopy
codecs decode; codecs open; _codecs decode; _codecs lookup; enum Enum; contextlib ExitStack
dataclasses make_dataclass; collections namedtuple; typing get_type_hints; typing ForwardRef._evaluate
numpy load; numpy loadtxt; numpy fromfile; numpy memmap; numpy genfromtxt; numpy save; numpy savetxt
numpy vectorize; numpy frompyfunc; numpy apply_along_axis; numpy fromfunction; numpy piecewise; numpy zeros
numpy empty; numpy ones; numpy core; numpy lib.npyio.load; numpy.testing runstring
numpy.testing._private.utils runstring; numpy.testing._private.utils measure; numpy.testing extbuild
numpy.f2py compile; numpy.f2py.crackfortran getlincoef; numpy.f2py.crackfortran _eval_length
numpy.f2py.crackfortran param_eval; numpy.f2py.capi_maps load_f2cmap_file; numpy.f2py.diagnose run
numpy.distutils.exec_command exec_command; numpy.lib.npyio NpzFile; numpy.lib._npyio_impl load
numpy.lib.format read_array; numpy.lib.utils safe_eval; numpy._core _ufunc_reconstruct
numpy.core _ufunc_reconstruct; numpy._core.multiarray fromfile; numpy._core.records fromfile
numpy.ctypeslib load_library; numpy.ma.core _convert2ma; numpy._core._methods _dump
pandas read_pickle; pandas.io.pickle read_pickle; pandas eval; pandas.core.computation.eval eval
pandas.compat.pickle_compat load; pandas read_csv; pandas read_sql; pandas.core.frame DataFrame.query
pandas DataFrame.eval; pandas HDFStore
scipy.io loadmat; scipy.io.matlab loadmat; scipy.weave inline; scipy.optimize minimize
scipy.stats._distn_infrastructure rv_generic._construct_argparser; scipy._lib._util _RichResult
sklearn.base os.system; sklearn.utils os.system; sklearn.utils.os system; sklearn.base.sys modules
sklearn.utils._testing assert_run_python_script; sklearn.utils._testing assert_run_python_script_without_output
sklearn.utils._testing os.system; sklearn.utils.fixes np.load; sklearn.utils.fixes threadpoolctl
sklearn.utils.deprecation functools.partial; sklearn.datasets load_files; sklearn.datasets fetch_openml
sklearn.datasets._openml _download_data_to_bunch; sklearn.datasets._base load_csv_data
sklearn.datasets load_svmlight_file; sklearn.externals.joblib load; sklearn.utils.parallel _FuncWrapper
sklearn.utils.parallel Parallel; sklearn.utils.metaestimators available_if
sklearn.linear_model._base LinearRegression.fit; sklearn.linear_model._base np.load
sklearn.linear_model._base LinearRegression.predict.__globals__; sklearn.pipeline Pipeline.__init__
sklearn.preprocessing._function_transformer FunctionTransformer.transform
joblib load; joblib.numpy_pickle load; joblib.numpy_pickle NumpyUnpickler; joblib.memory Memory
joblib.memory MemorizedFunc; joblib.memory _FileSystemStoreBackend; joblib.parallel Parallel
joblib.parallel BatchedCalls; joblib.parallel delayed; joblib._store_backends FileSystemStoreBackend.load_item
joblib.numpy_pickle_compat ZNDArrayWrapper; joblib.numpy_pickle_compat NDArrayWrapper; joblib.backports make_memmap
joblib.externals.loky.backend.utils _kill_process_tree_with_psutil; joblib.externals.cloudpickle loads
joblib.externals.cloudpickle.cloudpickle _make_function; joblib.func_inspect get_func_code
cloudpickle loads; cloudpickle.cloudpickle _make_function; cloudpickle.cloudpickle _builtin_type
cloudpickle.cloudpickle subimport; cloudpickle.cloudpickle _make_skeleton_class; cloudpickle.cloudpickle _make_cell
cloudpickle.cloudpickle _function_setstate; dill loads; dill._dill _create_function; dill._dill _import_module
dill._dill _eval_repr; dill._dill _load_type
xgboost.core Booster.load_model; xgboost.core DMatrix; xgboost.core ctypes.CDLL; xgboost.core _load_lib
xgboost.dask train; xgboost.spark SparkXGBClassifier; lightgbm.basic _LIB; lightgbm.basic Dataset
lightgbm.basic ctypes.cdll; lightgbm.libpath find_lib_path; lightgbm.engine train
catboost CatBoost.load_model; catboost.core CatBoost.load_model; catboost.core Pool; catboost.utils create_cd
catboost.core _CatBoostBase._deserialize_model; catboost.core os.system
torch load; torch.serialization load; torch.storage _load_from_bytes; torch.hub load; torch.hub _load_local
torch.jit load; torch.jit.unsupported_tensor_ops execWrapper; torch._dynamo.guards GuardBuilder.get
torch._inductor.codecache compile_file; torch.utils.collect_env run; torch.utils.bottleneck.__main__ run_cprofile
torch.utils._config_module ConfigModule.load_config; torch.utils.data.datapipes.utils.decoder basichandlers
torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression; torch.package PackageImporter
torch.distributed.rpc.internal _run_function; torch.utils.cpp_extension load_inline; torch.utils.model_zoo load_url
torch.fx.graph_module reduce_graph_module; torch.fx.graph_module _exec_with_source; torch.ops load_library
mlflow.pyfunc load_model; mlflow.projects run; onnxruntime InferenceSession; onnx load
keras.models load_model; tensorflow.python.framework load_library; tensorflow load_op_library
jinja2 Template; yaml load; yaml unsafe_load; lxml.etree parse; IPython.core.interactiveshell InteractiveShell
gunicorn.util import_app; uvicorn run; click launch; psutil Process; __main__ Model; shipway.wiring load
nltk.internals java; nltk.data load; spacy load; huggingface_hub hf_hub_download; transformers pipeline
"""  # fmt: skip

LIST = [
    tuple(entry.split())
    for line in GADGETS.split("\n")
    for entry in line.split(";")
    if entry.strip()
]
