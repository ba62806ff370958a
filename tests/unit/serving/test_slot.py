import pytest

from shipway.errors import IncompatibleModelError, NotReadyError
from shipway.model.signature import Feature, Signature
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime, numbers


def runtime(*features: Feature, named: bool = True, name: str = "fixed") -> FixedRuntime:
    signature = Signature("regressor", features, named=named)
    return FixedRuntime(signature, lambda rows: [0.0] * len(rows), name=name)


def test_an_empty_slot_is_loading():
    slot = ModelSlot()
    assert slot.state == "loading"
    with pytest.raises(NotReadyError) as caught:
        slot.current  # noqa: B018 - reading it is the test
    assert caught.value.message == "The model is still loading."


def test_a_swap_makes_it_ready_and_the_next_one_replaces():
    first, second = runtime(Feature("a"), name="1"), runtime(Feature("a"), name="2")
    slot = ModelSlot()
    slot.swap(first)
    assert (slot.state, slot.current) == ("ready", first)
    held = slot.loaded
    slot.swap(second)
    assert slot.current is second
    assert held.runtime is first


def test_while_draining_the_model_still_answers():
    model = runtime(Feature("a"))
    slot = ModelSlot(model)
    slot.drain()
    assert (slot.state, slot.current) == ("draining", model)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (
            runtime(Feature("a")),
            "The new model takes 1 features, the one in service 2.",
        ),
        (
            runtime(Feature("a"), Feature("c")),
            'Feature 1 of the new model is "c", of the one in service "b".',
        ),
        (
            runtime(Feature("a"), Feature("b", "string")),
            'The new model takes a string for "b", the one in service a number.',
        ),
        (
            FixedRuntime(numbers(2), len),
            "The new model has no names for its features, the one in service has names.",
        ),
    ],
)
def test_a_model_with_other_features_is_refused_and_the_old_one_stays(new, message):
    old = runtime(Feature("a"), Feature("b"))
    slot = ModelSlot(old)
    with pytest.raises(IncompatibleModelError) as caught:
        slot.swap(new)
    assert caught.value.message == message
    assert slot.current is old


def test_order_matters_because_lists_have_only_order():
    slot = ModelSlot(runtime(Feature("a"), Feature("b")))
    with pytest.raises(IncompatibleModelError):
        slot.swap(runtime(Feature("b"), Feature("a")))
