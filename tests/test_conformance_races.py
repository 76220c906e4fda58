"""In the graph that TensorFlow runs, after all that its optimizer does to it, a variable is read before it is written
or after, never at once.
"""

from collections import defaultdict

import pytest
import tensorflow as tf
from goldens import GOLDENS

from kerasgan import penalties


def cases():
    """Every variant with every penalty; all but the pair that raced most is left to the soak."""
    for golden in GOLDENS:
        for kind in (None, *penalties.KINDS):
            quick = kind == "gradient_penalty" and golden.name in ("GAN", "DCGAN-3")
            yield pytest.param(golden, kind, id=f"{golden.name}-{kind}", marks=() if quick else pytest.mark.soak)


@pytest.mark.parametrize(("golden", "kind"), list(cases()))
def test_no_weight_is_read_while_it_moves(golden, kind, tmp_path):
    """Without `gradients.settled` a bias under a gradient penalty is (TensorFlow 2.21)."""
    model = golden.build_noisy()
    model.compile(penalty=kind and penalties.Penalty(kind, 1.0), instance_noise=0.1)
    nodes = as_run(lambda: model.fit(*golden.data(8), verbose=0), str(tmp_path))
    reads, writes, races = races_in(nodes)
    assert reads > 20 and writes > 20, "there is something to see"
    assert races == []


def test_a_race_is_seen(tmp_path):
    """Or the test above would prove nothing: a read and a write, with the order between them taken away."""
    variable = tf.Variable(1.0)

    @tf.function
    def step():
        seen = tf.sin(variable)
        variable.assign(2.0)
        return seen

    nodes = as_run(step, str(tmp_path))
    assert races_in(nodes) == (1, 1, [])
    for node in nodes:
        data = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(data)
    assert len(races_in(nodes)[2]) == 1


def as_run(function, folder):
    """The nodes of the largest graph that a call runs, as the optimizer left it: what TensorBoard would show."""
    writer = tf.summary.create_file_writer(folder)
    tf.summary.trace_on(graph=True, profiler=False)
    function()
    with writer.as_default():
        tf.summary.trace_export("step", step=0)
    writer.close()
    (file,) = tf.io.gfile.glob(f"{folder}/*")
    events = [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(file)]
    (found,) = [tf.make_ndarray(value.tensor).item() for event in events for value in event.summary.value]
    graphs = [graph.post_optimization_graph for graph in tf.compat.v1.RunMetadata.FromString(found).function_graphs]
    return list(max(graphs, key=lambda graph: len(graph.node)).node)


def races_in(nodes):
    """(number of reads, of writes, [(read, write) of one variable, neither of which waits for the other])."""
    after = defaultdict(list)
    for node in nodes:
        for name in node.input:
            after[source(name)].append(node.name)
    later = {}

    def waiting(name):
        if name not in later:
            found, open_ = set(), [name]
            while open_:
                new = set(after[open_.pop()]) - found
                found |= new
                open_ += new
            later[name] = found
        return later[name]

    by_name = {node.name: node for node in nodes}

    def variable(node):
        """The argument or handle at the beginning of the chain."""
        while node.input and node.op not in ("_Arg", "VarHandleOp", "Placeholder"):
            node = by_name[source(node.input[0])]
        return node.name

    reads = [node for node in nodes if node.op == "ReadVariableOp"]
    writes = [node for node in nodes if node.op.startswith("Assign") and "Variable" in node.op]
    races = [
        (read.name, write.name)
        for read in reads
        for write in writes
        if variable(read) == variable(write)
        and write.name not in waiting(read.name)
        and read.name not in waiting(write.name)
    ]
    return len(reads), len(writes), races


def source(name):
    """The node that an input comes from."""
    return name.removeprefix("^").split(":")[0]
