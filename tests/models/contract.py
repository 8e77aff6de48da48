"""What is asked of all networks, for the mirror of one: test_network.py and test_attention.py ask every one of them."""

from tests.golden.case import FOLDER, Case, check
from tests.models import test_attention as attention
from tests.models import test_golden as golden
from tests.models import test_inference_form as inference
from tests.models import test_network as contract
from tests.models.networks import PLANS


def keeps_the_contract(name: str) -> None:
    """Features, blocks and their depths, weight decay and the new classifier of a network of `networks.ALL`."""
    contract.test_features_at_every_depth_are_those_of_each_clip(name)
    contract.test_depths_rise_along_the_forward_pass(name)
    contract.test_weight_decay_spares_positions_and_class_tokens_and_no_kernel(name)
    if name in PLANS:
        contract.test_a_new_classifier_starts_as_the_first_one_did(name)


def is_the_same_for_inference(name: str) -> None:
    """The numbers of its form for inference, and what stays of its norms."""
    inference.test_every_network_gives_the_same_numbers(name)


def looks_where_the_mark_is(network: str, **options: object) -> None:
    """Where a network of this name looks, with these options beside those that make it small."""
    attention.test_a_mark_moves_the_map_there_and_only_there(network, {**attention.SMALL[network], **options})


def gives_what_the_official_code_gave(*cases: str) -> None:
    """Outputs and gradients of recorded cases of tests/golden."""
    for name in cases:
        case = Case.read(FOLDER / f"{name}.json")
        check(case, golden.SYSTEMS[case.meta["system"]](case))
