"""The house keeps its own rules: proved from the syntax trees, imports inside functions included; nothing is run.

A room is a module or a folder of kerasgan. A new one needs a place in FLOORS; one not built yet disturbs nobody.
"""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kerasgan

# From the ground up. An import points strictly down: rooms on one line do not know each other.
FLOORS = (
    "files names rendezvous",
    "replicas",
    "gradients random losses layers pyramid images resampling tiling modes distribution plotting rendering",
    "penalties augmentations data metrics export checkpoints upscaler",
    "callbacks contents",
    "stages",
    "models",
    "cards recipes",
    "mirror",
    "zoo",
    "entries",
    "extractors protocols superresolution",
    "evaluation",
    "runs",
    "training upscaling enlarging launching",
    "demo progress",
    "cli",
    "__main__",
)
# A folder has floors of its own. Files not named here (one paper each) stand on one above these; __init__ is the roof.
INSIDE = {
    "models": ("sides", "networks", "levels", "rules", "trainable", "adversarial", "generative", "chain"),
    "data": ("dataset", "sources", "pairs"),
    "protocols": ("chain", "likelihood"),
    "cli": ("group",),
    "export": ("formats", "quantising", "running", "sidecar"),
    "metrics": ("features", "coverage", "frechet", "kernel", "fidelity"),  # what `streaming` makes Keras metrics of
}
# Who may import what is heavy outside of a function (the others must load on numpy, h5py, pillow and keras alone); and
# who may import TensorFlow at all.
AT_MODULE_LEVEL = {
    "tensorflow": {"gradients", "replicas", "export"},
    "tensorflow_datasets": set(),
    "torch": {"gradients"},
    "scipy": set(),
    "sklearn": set(),
    "matplotlib": set(),
    "click": {"cli"},
    "rich": {"cli", "progress"},
}
TENSORFLOW = {"gradients", "data", "replicas", "export"}

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "kerasgan"
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms.split()}


def dotted(path):
    """kerasgan/models/dcgan.py -> ("models", "dcgan"); kerasgan/models/__init__.py -> ("models",)."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


FILES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py")) if "_zoo" not in path.parts}
TREES = {module: ast.parse(path.read_text("utf-8"), str(path)) for module, path in FILES.items()}
ROOMS = {module: tree for module, tree in TREES.items() if module}  # all but kerasgan/__init__.py


def height(module):
    """(floor, floor inside the room) of a module."""
    room, *inner = module
    inside = INSIDE.get(room, ())
    if not inner:
        return FLOOR[room], len(inside) + 1
    return FLOOR[room], inside.index(inner[0]) if inner[0] in inside else len(inside)


def walk(node, in_function=False):
    """Every (import statement, is it inside a function) below a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, in_function
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from walk(child, inside)


def names(statement, module):
    """The dotted names that an import statement of this module fetches."""
    if isinstance(statement, ast.Import):
        # `import kerasgan.losses` binds kerasgan, from which everything can be reached.
        return [a.name if a.asname or not a.name.startswith("kerasgan.") else "kerasgan" for a in statement.names]
    base = statement.module or ""
    if statement.level:
        package = ("kerasgan", *module, *(["__init__"] if FILES[module].name == "__init__.py" else []))
        base = ".".join([*package[: -statement.level], *([base] if base else [])])
    return [f"{base}.{alias.name}" for alias in statement.names]


def targets(name):
    """The modules of ours that a dotted name stands for: `kerasgan.load` is zoo, `kerasgan` everything public."""
    head, *rest = name.split(".")
    if head != "kerasgan" or rest == ["__version__"]:
        return set()
    if not rest or rest == ["*"]:
        return {tuple(target.split(".")) for target in kerasgan.MODULES.values()}
    if rest[0] in kerasgan.MODULES:
        rest = kerasgan.MODULES[rest[0]].split(".") + rest[1:]
    return {tuple(rest[:2]) if tuple(rest[:2]) in FILES else (rest[0],)}


@functools.cache
def edges():
    """{module: the modules of this package that it imports}."""
    found = {}
    for module, tree in ROOMS.items():
        fetched = set().union(*(targets(name) for node, _ in walk(tree) for name in names(node, module)))
        found[module] = fetched - {module}
    return found


def test_every_room_has_a_floor():
    homeless = {module[0] for module in ROOMS} - FLOOR.keys()
    assert not homeless, f"give {homeless} a line in FLOORS"


@pytest.mark.parametrize("module", ROOMS, ids=".".join)
def test_imports_point_down(module):
    unknown = {target[0] for target in edges()[module]} - FLOOR.keys()
    assert not unknown, f"{'.'.join(module)} imports {unknown}: no such room"
    for target in edges()[module]:
        above, below = height(module), height(target)
        fine = above[0] > below[0] or (module[0] == target[0] and above[1] > below[1])
        assert fine, f"{'.'.join(module)} (floor {above}) imports {'.'.join(target)} (floor {below}): only down"


def test_no_circles():
    graphlib.TopologicalSorter(edges()).prepare()


@pytest.mark.parametrize("module", ROOMS, ids=".".join)
def test_heavy_packages_stay_inside_functions(module):
    room = module[0]
    for node, in_function in walk(ROOMS[module]):
        for package in {name.split(".")[0] for name in names(node, module)} & AT_MODULE_LEVEL.keys():
            where = f"line {node.lineno}: {package} belongs"
            allowed = in_function or room in AT_MODULE_LEVEL[package]
            assert allowed, f"{where} inside the function that needs it"
            assert package != "tensorflow" or room in TENSORFLOW, f"{where} in one of {TENSORFLOW}"


def test_files_are_short():
    long = {str(path.relative_to(ROOT)): size for path in python_files() if (size := count_lines(path)) >= 300}
    assert not long, f"300 lines or more: {long}"


def python_files():
    return [path for folder in ("kerasgan", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]


def count_lines(path):
    return len(path.read_text("utf-8").splitlines())


def public(tree):
    """{name: has it a docstring} of the public functions and classes of a module, those under an `if` included."""
    found = {}
    nodes = list(tree.body)
    for node in nodes:
        if isinstance(node, ast.If):
            nodes += node.body + node.orelse  # one backend's version may carry the docstring for both
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found[node.name] = found.get(node.name) or bool(ast.get_docstring(node))
    return found


@pytest.mark.parametrize("module", ROOMS, ids=".".join)
def test_everything_public_has_a_docstring(module):
    bare = [name for name, documented in public(ROOMS[module]).items() if not documented]
    assert not bare, f"{FILES[module].name}: no docstring on {bare}"


@functools.cache
def words_of_the_tests():
    others = set(ROOT.glob("tests/**/*.py")) - {Path(__file__).resolve()}
    return {word.rstrip("_") for path in others for word in re.findall(r"\w+", path.read_text("utf-8"))}


@pytest.mark.parametrize("module", ROOMS, ids=".".join)
def test_everything_public_is_tested(module):
    # A command that would hide a builtin is written `list_` and typed `list`.
    missing = [name for name in public(ROOMS[module]) if name.rstrip("_") not in words_of_the_tests()]
    assert not missing, f"{FILES[module].name}: no test names {missing}"


def test_no_machine_path():
    """Nothing that belongs to the machine it was written on: neither in the code, nor in a card, nor in a document."""
    # Written in two halves, or this line would find itself.
    paths = re.compile(rb"(?<![\w.-])/" + rb"(work|tmp|home|root)/")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    contents = {path: path.read_bytes() for path in files if path.is_file()}
    found = [str(path.relative_to(ROOT)) for path, text in contents.items() if b"\0" not in text and paths.search(text)]
    assert not found, f"an absolute path of one machine in {found}"


def python(code):
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_kerasgan_is_cheap():
    loaded = python("import sys, kerasgan; dir(kerasgan); print(*sys.modules)")
    assert not {"tensorflow", "keras", "numpy"} & set(loaded)


def test_every_public_name_resolves():
    built = [name for name, home in kerasgan.MODULES.items() if tuple(home.split(".")) in FILES]
    unbuilt = {home.split(".")[0] for name, home in kerasgan.MODULES.items() if name not in built}
    assert unbuilt <= FLOOR.keys(), f"kerasgan.MODULES names {unbuilt - FLOOR.keys()}: no such room"
    code = f"import kerasgan; assert set({built}) < set(dir(kerasgan)); [getattr(kerasgan, n) for n in {built}]"
    assert python(code) == []


def test_an_unknown_name_tells_the_nearest():
    with pytest.raises(AttributeError, match="no attribute DGCAN; did you mean DCGAN?"):
        kerasgan.DGCAN  # noqa: B018
    with pytest.raises(AttributeError, match="it has CGAN, DCGAN, "):
        kerasgan.xyz  # noqa: B018
