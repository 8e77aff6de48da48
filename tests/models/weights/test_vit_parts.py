import pytest
import torch

from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.weights.transfer import Transfer
from vidtok.models.weights.vit_parts import put_class_token, put_head, put_kernel, put_positions
from vidtok.nn.position import resize_table


def network(**options):
    sizes = {"classes": 3, "frames": 4, "size": (16, 24), "tubelet": (2, 8, 8), "width": 12, "depth": 1, "heads": 2}
    return ViViT(**{**sizes, **options})


def placed(transfer, target):
    transfer.finish(may_miss=[""])
    return transfer.network.state_dict()[target]


def fitted(rows, *, class_row=False, picture=False, source_grid=None, **options):
    module = network(**options)
    transfer = Transfer(module, {"p": rows})
    put_positions(
        transfer,
        transfer.take("p"),
        source="p",
        class_row=class_row,
        picture=picture,
        prefix="encoder.",
        grid=module.grid,
        source_grid=source_grid,
    )
    return placed(transfer, "encoder.position.table"), transfer


def test_positions_of_the_same_grid_go_in_as_they_are():
    rows = torch.arange(2 * 2 * 3 * 12.0).reshape(12, 12)
    table, transfer = fitted(rows)
    assert torch.equal(table, rows.reshape(2, 2, 3, 12))
    assert not transfer.finish(may_miss=[""]).resized


def test_a_square_picture_is_resized_and_repeated():
    rows = torch.randn(16, 12)
    table, _ = fitted(rows, picture=True)
    want = resize_table(rows.reshape(1, 4, 4, 12), (1, 2, 3))[0]
    assert torch.equal(table, torch.stack([want, want]))


def test_a_picture_of_the_networks_rows_and_columns_is_repeated():
    rows = torch.randn(6, 12)
    table, transfer = fitted(rows, picture=True)
    assert torch.equal(table, rows.reshape(1, 2, 3, 12).expand(2, 2, 3, 12))
    assert transfer.finish(may_miss=[""]).resized == ("p (1 x 2 x 3 -> 2 x 2 x 3)",)


def test_a_number_of_positions_is_never_taken_apart():
    # 16 places: a picture of 4 x 4, or of the network's 2 x 8; 32 a clip of 2 x 4 x 4 or 8 x 2 x 2; 12 no picture.
    for rows, options in (
        (torch.randn(16, 12), {"picture": True, "size": (16, 64)}),
        (torch.randn(32, 12), {}),
        (torch.randn(12, 12), {"picture": True}),
    ):
        kind = "a picture" if "picture" in options else "a clip"
        with pytest.raises(CheckpointError, match=rf"p: cannot tell which grid of {kind} these {len(rows)} positions"):
            fitted(rows, **options)
    rows = torch.randn(3 * 2 * 5, 12)
    table, _ = fitted(rows, source_grid=(3, 2, 5))
    torch.testing.assert_close(table, resize_table(rows.reshape(3, 2, 5, 12), (2, 2, 3)))
    with pytest.raises(CheckpointError, match="no grid of 3 x 3 x 5"):
        fitted(rows, source_grid=(3, 3, 5))


def test_the_row_of_the_class_token():
    rows = torch.randn(13, 12)
    table, transfer = fitted(rows, class_row=True)
    assert torch.equal(table.reshape(12, 12), rows[1:])
    assert "without the class token's row" in transfer.finish(may_miss=[""]).resized[0]
    table, transfer = fitted(rows, class_row=True, pool="cls")
    assert torch.equal(transfer.network.encoder.class_token.position, rows[0])


def test_kernels_of_pictures_are_inflated_and_those_of_clips_are_not():
    module, bias = network(), torch.randn(12)
    for kernel, want in (
        (torch.randn(12, 3, 8, 8), lambda k: torch.stack([k / 2, k / 2], dim=2)),
        (torch.randn(12, 3, 2, 8, 8), lambda k: k),
    ):
        transfer = Transfer(module, {"k": kernel, "b": bias})
        put_kernel(transfer, transfer.take("k"), source="k", inflation="average", bias=transfer.take("b"))
        assert torch.equal(placed(transfer, "tokenizer.projection.weight"), want(kernel))
        assert bool(transfer.finish(may_miss=[""]).resized) is (kernel.dim() == 4)


def test_class_tokens_and_heads_that_have_no_place_are_skipped():
    state = {"c": torch.randn(1, 1, 12), "w": torch.randn(5, 12), "b": torch.randn(5)}
    transfer = Transfer(network(), state)
    put_class_token(transfer, "c")
    put_head(transfer, "w", "b")
    report = transfer.finish(may_miss=[""])
    assert len(report.skipped) == 3
    transfer = Transfer(network(pool="cls", classes=5), state)
    put_class_token(transfer, "c")
    put_head(transfer, "w", "b")
    assert not transfer.finish(may_miss=[""]).skipped
    assert torch.equal(transfer.network.encoder.class_token.token, state["c"].flatten())
    assert torch.equal(transfer.network.head.logits.weight, state["w"])
