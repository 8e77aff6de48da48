"""What every network promises, asked of all of them."""

import ast
import subprocess
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch
from timm.models import group_parameters
from timm.optim import param_groups_layer_decay
from torch import nn

import vidtok
from tests.models import test_inference_form as inference
from tests.models.networks import ALL, LIBRARIES, OWN, PLANS, clip_of, filled
from vidtok.errors import ModelError
from vidtok.infer.evaluate import predict_views
from vidtok.models import NETWORKS, Network, register
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.network import _no_learning
from vidtok.models.options import plain
from vidtok.models.presets import PRESETS, list_models
from vidtok.nn import onednn
from vidtok.train.groups import parameter_groups
from vidtok.types import Batch

# Beside what has one axis; `*` stands for blocks.
SPARED = {
    "vivit": {"encoder.position.table"},
    "vivit, class token": {"encoder.position.table", "encoder.class_token.token", "encoder.class_token.position"},
    "vivit, TokenLearner": {"encoder.position.table"},
    "vivit, multi_axis": {"encoder.position.table", *(f"encoder.blocks.{i}.mixers.0.bias" for i in range(2))},
    "vivit, super_token": {"encoder.position.table"},
    "vivit, conv_additive": {"encoder.position.table"},
    "vivit, Model 4": {"encoder.position.table"},
    "vivit, steps apart": {"encoder.position.table", "encoder.time_position.table"},
    "vivit, TokenFuser and steps apart": {"encoder.position.table", "encoder.time_position.table"},
    "vivit, class token, separable": {
        "encoder.position.table",
        "encoder.time_position.table",
        "encoder.class_token.token",
    },
    "encoder_vivit, steps apart": {
        "encoder.body.pos_embed",
        "encoder.body.cls_token",
        "behind.position.table",
        "behind.time_position.table",
    },
    "factorised": {
        f"{part}.{name}"
        for part in ("space", "time")
        for name in ("position.table", "class_token.token", "class_token.position")
    },
    "factorised, mean over time": {"space.position.table"},
    "factorised, TokenLearner": {"space.position.table", "time.position.table"},
    "maxvit": {
        f"stages.{stage}.{block}.{part}.mixer.bias"
        for stage, block in ((0, 0), (1, 0), (2, 0), (2, 1), (3, 0))
        for part in ("block", "spread")
    },
    "encoder": {"body.pos_embed", "body.cls_token"},
    "encoder, frozen": {"body.pos_embed", "body.cls_token"},
    "own": {"body.encoder.position.table"},
    "encoder_vivit": {"encoder.body.pos_embed", "encoder.body.cls_token", "behind.position.table"},
    "encoder_vivit, TokenLearner": {"behind.position.table"},
    "encoder_probe, attentive": {"probe.position"},
    "encoder_probe, token_learner": {"probe.position"},
    "x3d tokens": {"encoder.position.table"},
    "mvit_v1": {
        f"body.cls_positional_encoding.{name}"
        for name in ("cls_token", "pos_embed_spatial", "pos_embed_temporal", "pos_embed_class")
    },
    "mvit_v2": {
        "body.pos_encoding.class_token",
        *(f"body.blocks.{i}.attn.rel_pos_{axis}" for i in range(5) for axis in "thw"),
    },
    "swin3d": {
        f"body.features.{stage}.{block}.attn.relative_position_bias_table"
        for stage, block in ((0, 0), (0, 1), (2, 0), (4, 0), (6, 0))
    },
}


def depths_of(network):
    return group_parameters(network, network.group_matcher(), reverse=True)


@pytest.mark.slow
def test_every_network_of_the_table_is_asked():
    classes = {type(make()) for make in ALL.values()}
    assert set(NETWORKS.values()) <= classes


@pytest.mark.parametrize("name", ALL)
def test_an_empty_batch_gives_every_parameter_a_gradient_of_zero_and_changes_nothing(name):
    network = filled(name).train()
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms[:1]:
        norm.eval()  # as where statistics are frozen
    states = [module.training for module in network.modules()]
    before = {key: value.clone() for key, value in (*network.named_buffers(), *network.named_parameters())}
    empty = clip_of(network)[:0]
    logits = network(empty)
    assert logits.shape == (0, 5)
    logits.sum().backward()
    trained = {key: value for key, value in network.named_parameters() if value.requires_grad}
    assert {key for key, value in trained.items() if value.grad is None} == set()
    assert all(not value.grad.any() for value in trained.values())
    for key, value in (*network.named_buffers(), *network.named_parameters()):
        assert torch.equal(value, before[key]), key
    assert [module.training for module in network.modules()] == states
    assert network.features(empty).shape[0] == 0
    assert all(part.shape[0] == 0 for part in network.features(empty, depths=[0, len(network.blocks)]))


@pytest.mark.parametrize("name", ALL)
def test_an_empty_batch_of_a_test_loses_no_video(name):
    model = Classifier(filled(name), mean=(0.5,) * 3, std=(0.5,) * 3, classes=tuple("abcde")).eval()
    views = (clip_of(model.network, 3) * 40 + 128).clamp(0, 255).to(torch.uint8)[:, None]
    batches = [
        Batch(
            views=views[i:j],
            labels=((0,),) * (j - i),
            indices=tuple(range(i, j)),
            video_ids=("",) * (j - i),
            failures=(),
        )
        for i, j in ((0, 1), (1, 1), (1, 3))
    ]
    found = predict_views(model, batches, classes=5, device=torch.device("cpu"))
    assert found.indices == (0, 1, 2)
    with torch.no_grad():
        torch.testing.assert_close(found.logits[:, 0], model(views[:, 0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_a_clip_of_another_size_is_refused_with_the_one_that_is_wanted(name):
    network = filled(name)
    f, y, x = network.clip
    wrong = [(2, f + 1, 3, y, x), (2, 2 * f, 3, y, x), (2, f, 3, 2 * y, x), (2, f, 3, y, x // 2), (2, f, 3, 1, 1)]
    wrong += [(2, f, 4, y, x), (2, 3, f, y, x), (f, 3, y, x), (0, f, 3, y, x + 1)]
    wrong += [(2, 1, 3, y, x)] * (f > 1)
    if network.joins_clips:  # which takes any number of clips, one after the other
        wrong.remove((2, 2 * f, 3, y, x))
    for shape in wrong:
        if shape[1:] == (f, 3, y, x):
            continue
        for ask in (network, network.features):
            with pytest.raises(ModelError, match=f"clips of b {f} 3 {y} {x}, in the order b f c y x") as told:
                ask(torch.randn(shape))
            assert str(told.value).endswith(f"got {' '.join(map(str, shape))}")
    with pytest.raises(ModelError, match=r"normalised clips of floats, got torch\.uint8"):
        network(torch.zeros(1, f, 3, y, x, dtype=torch.uint8))


@pytest.mark.parametrize("name", ALL)
def test_features_at_every_depth_are_those_of_each_clip(name):
    network = filled(name)
    clip, last = clip_of(network), len(network.blocks)
    with torch.no_grad():
        together, alone = (network.features(x, depths=range(last + 1)) for x in (clip, clip[1:]))
        pooled = network.features(clip)
        (first,) = network.features(clip, depths=[0])
    assert len(together) == last + 1
    assert torch.equal(first, together[0])
    for both, one in zip(together, alone, strict=True):
        assert both.shape[0] == 2
        torch.testing.assert_close(both[1:], one, rtol=1e-3, atol=1e-4)
        assert not torch.allclose(both[0], both[1])
    assert pooled.shape[0] == 2
    widening = name.startswith(("stvit", "encoder_probe", "encoder, norms"))  # their tokens at the end
    assert pooled.shape[-1] == together[-1].shape[-1] or widening
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    with pytest.raises(ModelError, match=rf"depths 0 to {last}, got \[-1, {last + 1}\]"):
        network.features(clip, depths=[-1, 0, last + 1])


def test_features_are_what_is_pooled():
    vivit, factorised, casvit = filled("vivit"), filled("factorised"), filled("casvit")
    clip = clip_of(vivit)
    with torch.no_grad():
        torch.testing.assert_close(vivit.head(vivit.features(clip).mean((1, 2, 3))), vivit(clip))
        assert vivit.features(clip).shape == (2, *vivit.grid, 12)
        torch.testing.assert_close(factorised.head(factorised.features(clip)[:, 0]), factorised(clip))
        space, time = factorised.features(clip, depths=[2, 4])
        assert (space.shape, time.shape) == ((2, 2, 7, 12), (2, 3, 12))
        clip = clip_of(casvit)
        torch.testing.assert_close(casvit.head(casvit.features(clip).mean((1, 2, 3))), casvit(clip))


@pytest.mark.parametrize("name", LIBRARIES)
def test_features_of_another_library_s_network_are_what_it_pools(name):
    network = filled(name)
    clip = clip_of(network)
    with torch.no_grad():
        tokens, logits = network.features(clip), network(clip)
    pooled = tokens[:, 0] if name.startswith("mvit") else tokens.flatten(1, -2).mean(1)
    if name == "slowfast":
        head = network.body.blocks[6].proj
    elif name in ("slow", "swin3d"):
        head = network.body.head if name == "swin3d" else network.body.blocks[5].proj
    elif name.startswith("mvit"):
        head = network.body.head.proj if name == "mvit_v1" else network.body.head[1]
    elif name == "s3d":
        head = nn.Linear(1024, 5)
        head.load_state_dict(
            {
                key: value.reshape(head.state_dict()[key].shape)
                for key, value in network.body.classifier[1].state_dict().items()
            }
        )
    else:
        pytest.skip("X3D's head has layers of its own before the average")
    with torch.no_grad():
        torch.testing.assert_close(head(pooled), logits, rtol=1e-3, atol=1e-4)


def order_of_use(network):
    """The names of parameters in the order in which a forward pass comes to the modules that own them."""
    order = []

    def note(name, module):
        own = [f"{name}.{key}" for key, _ in module.named_parameters(recurse=False)]
        return lambda *_: order.extend(key for key in own if key not in order)

    handles = [module.register_forward_pre_hook(note(name, module)) for name, module in network.named_modules()]
    network(clip_of(network, 1))
    for handle in handles:
        handle.remove()
    return order


@pytest.mark.parametrize("name", ALL)
def test_depths_rise_along_the_forward_pass(name):
    network = filled(name)
    depths, order = depths_of(network), order_of_use(network)
    if name != "a plugin's":
        assert set(depths.values()) == set(range(len(network.blocks) + 2))
    rising = [depths[key] for key in order]
    assert rising == sorted(rising)
    for depth, block in enumerate(network.blocks, start=1):
        own = {id(parameter) for parameter in block.parameters()}
        assert {depths[key] for key, value in network.named_parameters() if id(value) in own} <= {depth}
    tell, coarse = network.group_matcher(), network.group_matcher(coarse=True)
    for key, depth in depths.items():
        if name != "a plugin's":
            assert tell(key) == tell(key.rpartition(".")[0]) == depth or key.count(".") == 0
            assert coarse(key) == (0 if depth == 0 else 2 if depth > len(network.blocks) else 1)


def test_what_belongs_where():
    depths = depths_of(filled("vivit, TokenLearner"))
    assert depths["tokenizer.projection.weight"] == depths["encoder.position.table"] == 0
    assert {depth for name, depth in depths.items() if "token_learners" in name} == {2}
    assert depths["pool.norm.weight"] == depths["head.logits.bias"] == 3
    depths = depths_of(filled("factorised"))
    assert depths["space_pool.norm.weight"] == 2
    assert depths["time.position.table"] == depths["time.class_token.token"] == 3
    depths = depths_of(filled("casvit"))
    assert [depths[f"downsamples.{i}.0.weight"] for i in range(3)] == [2, 3, 5]


@pytest.mark.parametrize("name", ALL)
def test_weight_decay_spares_positions_and_class_tokens_and_no_kernel(name):
    network = filled(name)
    assert network.no_weight_decay() == SPARED.get(name, set())
    assert network.no_weight_decay() <= dict(network.named_parameters()).keys()


@pytest.mark.parametrize("name", ["vivit, TokenLearner", "factorised", "stvit", "maxvit", "mvit_v1", "swin3d"])
def test_factors_and_decay_are_timm_s(name):
    network = filled(name)
    timms = param_groups_layer_decay(network, 0.1, network.no_weight_decay(), layer_decay=0.7)
    ours = parameter_groups(network, weight_decay=0.1, layer_decay=0.7)
    settings = [
        {id(p): (group["lr_scale"], group["weight_decay"]) for group in groups for p in group["params"]}
        for groups in (timms, ours)
    ]
    assert settings[0] == settings[1]


@pytest.mark.parametrize("name", PLANS)
def test_a_new_classifier_starts_as_the_first_one_did(name):
    cls, options = PLANS[name]
    torch.manual_seed(0)
    network, other = (cls(**{**options, "classes": classes}) for classes in (400, 300))
    wanted = {key: value.shape for key, value in other.state_dict().items()}
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.double().reset_classifier(300)
    after = network.state_dict()
    assert {key: value.shape for key, value in after.items()} == wanted
    for key, old in before.items():
        if old.shape == wanted[key]:
            assert torch.equal(after[key], old.to(after[key].dtype)), key
        else:
            assert after[key].dtype == torch.float64
            assert float(after[key].std()) == pytest.approx(float(old.std()), rel=0.15), key
    assert network.eval()(clip_of(network).double()).shape == (2, 300)
    with pytest.raises(ModelError, match="at least 1 class, got 0"):
        network.reset_classifier(0)


@pytest.mark.parametrize("name", list_models())
def test_published_networks_keep_the_contract(name):
    preset = PRESETS[name]
    plan = Architecture(network=preset.network, options=plain(preset.options), frames=preset.frames, size=preset.size)
    with torch.device("meta"):
        network = plan.build(classes=preset.classes)
        f, y, x = network.clip
        with pytest.raises(ModelError, match=f"clips of b {f} 3 {y} {x}, in the order b f c y x"):
            network(torch.empty(1, f + 1, 3, y, x))
    assert (f, y, x) == (preset.frames, preset.size, preset.size)
    assert set(depths_of(network).values()) == set(range(len(network.blocks) + 2))
    assert network.no_weight_decay() <= dict(network.named_parameters()).keys()


def test_other_sizes_are_taken_where_it_was_said_and_the_network_can():
    casvit = filled("casvit")
    with pytest.raises(ModelError, match="built for clips of b 2 3 32 32"):
        casvit(torch.randn(1, 2, 3, 64, 48))
    casvit.also_take(frames=2, size=(64, 48))
    assert casvit(torch.randn(1, 2, 3, 64, 48)).shape == casvit(clip_of(casvit, 1)).shape == (1, 5)
    with pytest.raises(ModelError, match="built for clips of b 2 3 32 32 or b 2 3 64 48, in the order"):
        casvit(torch.randn(1, 2, 3, 48, 64))
    with pytest.raises(ModelError, match=r"made for 4 frames of 16 x 24 pixels, cannot take 4 of 32 x 24: positions"):
        filled("vivit").also_take(frames=4, size=(32, 24))


def test_a_class_that_is_no_network_and_a_second_of_a_name_are_refused():
    with pytest.raises(
        (ModelError, jaxtyping.TypeCheckError), match=r"does not derive from vidtok.models.network.Network|NetworkClass"
    ):
        register("mine")(nn.Linear)
    with pytest.raises(ModelError, match="two networks are called 'vivit': ViViT and Mine"):
        register("vivit")(type("Mine", (Network,), {}))
    assert "mine" not in NETWORKS


def test_statistics_that_processes_share_are_exchanged_for_no_clips_too(monkeypatch):
    """Otherwise the other processes would wait for this one."""
    came = []
    monkeypatch.setattr(
        nn.SyncBatchNorm, "forward", lambda self, input: came.append((len(input), self.training)) or input
    )
    norm, plain_norm = nn.SyncBatchNorm(4).train(), nn.BatchNorm2d(4).eval()
    norm.running_mean += 1
    plain_norm.load_state_dict(norm.state_dict())
    x = torch.randn(1, 4, 3, 3)
    with _no_learning(norm):
        out = norm.forward(x)
    assert came == [(0, True)]
    torch.testing.assert_close(out, plain_norm(x))
    norm(x)
    assert came[1:] == [(1, True)]


EXPORTED = """
import importlib.util
import sys
import tempfile
from pathlib import Path
import torch
from tests.models.networks import ALL, filled
from tests.models.test_network import IN_ONNX, PAPERS
from vidtok.infer.export import compare, export_program, write_onnx
from vidtok.models.classifier import Classifier
for name in sys.argv[1:]:
    model = Classifier(filled(name), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), classes=tuple("abcde")).eval()
    program = export_program(model)
    found = compare(model, program.module())
    assert found.worst <= 1e-5, (name, "pt2", found)
    if name in PAPERS:
        assert not [node for node in program.graph.nodes if "conv3d" in str(node.target)]
    if name in IN_ONNX and importlib.util.find_spec("onnxruntime"):
        import onnxruntime
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            write_onnx(program, file, told={})
            session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        found = compare(model, lambda clips: torch.from_numpy(session.run(None, {"clips": clips.numpy()})[0]))
        assert found.worst <= 1e-5, (name, "onnx", found)
    print(name)
"""
PAPERS = {name for name in OWN if name.startswith(("vivit", "factorised", "stvit", "maxvit", "casvit"))}
"""Without a 3-D convolution, which not every runtime has."""
IN_ONNX = {
    "vivit",
    "vivit, Model 3",
    "vivit, Model 4",
    "vivit, TokenLearner",
    "factorised",
    "stvit",
    "maxvit",
    "casvit",
    "encoder",
}
"""Written as ONNX too, where its packages are installed: the four forms of ViViT, TokenLearner, the papers' networks,
and what `vidtok fit` leaves."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(list(OWN), id="own"),
        pytest.param(list(LIBRARIES), id="libraries"),
    ],
)
def test_networks_are_exported_with_a_free_batch(names):
    """With 1, 2 and 5 clips. In a process of its own, without the shape check, which torch cannot trace."""
    done = subprocess.run(
        [sys.executable, "-c", EXPORTED, *names], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.stdout.splitlines() == names, done.stderr[-3000:]


def root_of(node):
    while not isinstance(node, ast.Name) and (inner := getattr(node, "value", None)) is not None:
        node = inner
    return getattr(node, "id", None)


def test_no_layer_asks_a_tensor_for_its_length():
    """len(tensor) is a fixed number in an exported program; tensor.shape[0] stays free."""
    package = Path(vidtok.__file__).parent
    wrong, methods = [], 0
    for file in (*package.glob("nn/**/*.py"), *package.glob("models/*.py")):
        for method in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(method, ast.FunctionDef):
                continue
            methods += method.name == "forward"
            tensors = {
                part.arg for part in ast.walk(method.args) if isinstance(part, ast.arg) and "Tensor" in ast.dump(part)
            }
            for call in ast.walk(method):
                asks = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "len"
                if asks and (method.name == "forward" or root_of(call.args[0]) in tensors):
                    wrong.append(f"{file.relative_to(package)}:{call.lineno}")
    assert methods > 20
    assert not wrong, wrong


def test_the_form_for_inference_is_the_same_and_of_two_kinds():
    for name in ("vivit, TokenLearner", "encoder"):
        inference.test_every_network_gives_the_same_numbers(name)
    if onednn.why_not() is None:
        inference.test_a_form_takes_the_fused_operations_where_they_are()
        inference.test_large_batches_go_through_in_parts_whose_tensors_stay_small()
