"""EarlyExitInference on the simulated board, through the real pynq, and all in software: what a user is promised."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from PIL import Image

from pynq_ee import EarlyExitInference, exits, remainder
from pynq_ee.errors import DeviceError, InputError, ModelFileError
from pynq_ee.network import fabric
from pynq_ee.network.spec import NETWORKS
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.dram import PAGE_BYTES
from pynq_ee.trace import IN_FLIGHT, Trace

# A threshold at which random models let some images leave and keep some.
MIDDLE = 1.0


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(7).integers(0, 256, (150, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module", params=list(NETWORKS))
def model(request, random_model):
    return random_model(seed=3, network=request.param)


#: What may be in the fabric's place, and the engine of what comes after it.
DEVICES = {"sim-numpy": {}, "software": {}, "software, NumPy": {"remainder": "numpy"}}


@pytest.fixture(scope="module", params=list(DEVICES))
def network(request, model):
    options = {"device": request.param.split(",")[0], **DEVICES[request.param]}
    with EarlyExitInference(model, threshold=MIDDLE, images_per_transfer=64, **options) as opened:
        yield opened


def expected(model, images, thresholds):
    """Labels, exits and logits by the definitions, one exit after the other, for every image."""
    features, logits = fabric.first_exit(images, model)
    outputs, hidden = [logits], features
    for stage in remainder.stages("numpy", model):
        hidden, stage_logits = stage(hidden)
        outputs.append(stage_logits)
    every = np.stack(outputs, axis=1) * np.float32(2.0) ** np.array(model.logit_exponents, np.float32)[:, None]
    taken = exits.exit_of(exits.entropy(every), thresholds)
    chosen = every[np.arange(len(images)), taken - 1]
    return chosen.argmax(1), taken, chosen


def test_a_batch_gets_the_labels_exits_and_logits_of_the_definitions(network, model, images):
    labels, taken, logits = expected(model, images, network.threshold)
    prediction = network.classify(images)
    np.testing.assert_array_equal(prediction.labels, labels)
    np.testing.assert_array_equal(prediction.exits, taken)
    np.testing.assert_array_equal(prediction.logits, logits)
    np.testing.assert_array_equal(prediction.entropy, exits.entropy(prediction.logits))


@pytest.mark.parametrize("threshold", [0.0, np.inf])
def test_a_threshold_of_zero_sends_every_image_to_the_last_exit_and_infinity_lets_every_one_leave(
    network, model, images, threshold
):
    before = network.threshold
    network.threshold = threshold
    prediction = network.classify(images)
    network.threshold = before
    assert set(prediction.exits) == {1 if threshold else model.exits}


def test_the_first_exits_logits_are_exactly_the_fabrics(network, model, images):
    every = network.all_exits(images)
    _, logits = fabric.first_exit(images, model)
    np.testing.assert_array_equal(every[:, 0], logits * np.float32(2.0 ** model.logit_exponents[0]))


def test_without_features_the_same_comes_out(model, images):
    with EarlyExitInference(model, device="sim-numpy", threshold=MIDDLE, features=False) as network:
        labels, taken, _ = expected(model, images, network.threshold)
        prediction = network.classify(images)
    np.testing.assert_array_equal(prediction.labels, labels)
    np.testing.assert_array_equal(prediction.exits, taken)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 129])
def test_batches_of_any_size_are_split_into_transfers_and_come_back_in_order(network, images, count):
    whole = network.classify(images)
    part = network.classify(images[:count])
    assert len(part) == count
    np.testing.assert_array_equal(part.labels, whole.labels[:count])
    np.testing.assert_array_equal(part.logits, whole.logits[:count])


def test_a_stream_gives_the_same_in_order_and_reads_ahead_no_more_than_two_batches(network, images):
    read = []

    def source():
        for number, image in enumerate(images):
            read.append(number)
            yield image

    whole = network.classify(images)
    position = 0
    for prediction in network.stream(source(), batch=8):
        assert len(read) <= position + 3 * 8
        np.testing.assert_array_equal(prediction.labels, whole.labels[position : position + len(prediction)])
        position += len(prediction)
    assert position == len(images)


def test_an_array_may_be_streamed(network, images):
    found = list(network.stream(images, batch=64))
    assert [len(each) for each in found] == [64, 64, len(images) - 128]
    np.testing.assert_array_equal(np.concatenate([each.labels for each in found]), network.classify(images).labels)
    with pytest.raises(InputError, match=r"batch is 2\.5"):
        network.stream(images, batch=2.5)


def test_a_streamed_array_is_read_as_it_goes_and_an_empty_one_yields_nothing(network, images):
    floats = images[:8] / np.float32(255)
    floats[7, 0, 0] = np.nan
    stream = network.stream(floats, batch=2, unit_floats=True)
    assert [len(next(stream)) for _ in range(2)] == [2, 2]  # the third comes when the fourth batch has been read
    with pytest.raises(InputError, match="nan"):
        next(stream)
    assert list(network.stream(images[:0])) == []


def test_without_overlap_a_source_may_wait_for_each_prediction(network, images):
    found = []

    def source():
        for number, image in enumerate(images[:5]):
            assert len(found) == number
            yield image

    network.trace = trace = Trace()
    for prediction in network.stream(source(), batch=1, overlap=False):
        found.append(prediction.labels[0])
    network.trace = None
    np.testing.assert_array_equal(found, network.classify(images[:5]).labels)
    assert [span.batch for span in trace.lane(IN_FLIGHT)] == [0, 1, 2, 3, 4]


def test_a_stream_that_is_left_halfway_leaves_a_working_network(network, images):
    whole = network.classify(images)
    for _ in network.stream(iter(images), batch=16):
        break
    np.testing.assert_array_equal(network.classify(images).labels, whole.labels)


def test_one_image_a_list_a_pil_image_and_a_file_are_taken(network, images, tmp_path):
    label = network.classify(images[0]).labels
    path = tmp_path / "digit.png"
    Image.fromarray(images[0]).save(path)
    for given in (images[:1], [images[0]], Image.fromarray(images[0]), path, str(path), [path]):
        np.testing.assert_array_equal(network.classify(given).labels, label)


def test_floats_are_taken_only_when_told_so(network, images):
    with pytest.raises(InputError, match="unit_floats"):
        network.classify(images[:2] / 255)
    prediction = network.classify(images[:2] / 255, unit_floats=True)
    np.testing.assert_array_equal(prediction.labels, network.classify(images[:2]).labels)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((0, 28, 28), np.uint8),
        np.zeros((2, 28, 27), np.uint8),
        np.zeros((2, 784), np.uint8),
        np.full((2, 28, 28), -1, np.int32),
        np.full((2, 28, 28), np.nan),
        [],
        None,
        7,
    ],
)
def test_input_that_cannot_be_taken_is_refused_and_the_network_still_works(network, images, bad):
    with pytest.raises(InputError):
        network.classify(bad)
    assert len(network.classify(images[:3])) == 3


def test_a_prediction_names_its_device_and_says_that_it_is_simulated_or_software(network, images):
    prediction = network.classify(images[:2])
    assert sum(prediction.seconds.values()) > 0
    if network.board:
        assert prediction.device == "simulated pynq-z2 (numpy kernel)"
        assert prediction.fabric_clocks == network.model.spec.image_beats * 2 + 400
    else:
        assert prediction.device.startswith("software (") and "simulated" not in prediction.device
        assert prediction.fabric_clocks is None and network.clock_mhz is None


def test_closing_frees_every_buffer_and_may_be_done_twice(model, images):
    with SimulatedDevice(model, kernel="numpy") as device:
        network = EarlyExitInference(model, device=device)
        network.classify(images)
        assert device.live_buffers == 4
        network.close()
        network.close()
        assert device.live_buffers == 0
        with pytest.raises(DeviceError, match="closed"):
            network.classify(images)


def test_an_object_that_nobody_closed_leaves_nothing_behind_but_a_warning(model, images):
    with SimulatedDevice(model, kernel="numpy") as device:
        for left_halfway in (False, True):
            with pytest.warns(ResourceWarning, match="EarlyExitInference was not closed"):
                network = EarlyExitInference(model, device=device, images_per_transfer=8)
                network.classify(images[:20])
                if left_halfway:
                    stream = network.stream(images, batch=4)
                    next(stream)
                    del stream
                del network
                gc.collect()
            assert device.live_buffers == 0
        EarlyExitInference(model, device=device).close()


def test_a_prediction_outlives_the_buffers(model, images):
    with EarlyExitInference(model, device="sim-numpy") as network:
        prediction = network.classify(images)
        copy = prediction.logits.copy()
        network.classify(images[::-1])
    np.testing.assert_array_equal(prediction.logits, copy)


def test_the_buffers_are_used_again_by_every_batch(model, images):
    with SimulatedDevice(model, kernel="numpy") as device, EarlyExitInference(model, device=device) as network:
        before = device.allocated_bytes
        for _ in range(5):
            network.classify(images)
        assert (device.live_buffers, device.allocated_bytes) == (4, before)


def test_without_a_board_the_simulated_one_is_not_fallen_back_to(model):
    with pytest.raises(DeviceError, match='device="sim"'):
        EarlyExitInference(model)


def test_wrong_choices_are_refused_by_name(model):
    with pytest.raises(InputError, match="gpu"):
        EarlyExitInference(model, device="gpu")
    with pytest.raises(InputError, match="fortran"):
        EarlyExitInference(model, device="sim-numpy", remainder="fortran")
    with pytest.raises(InputError, match="images_per_transfer"):
        EarlyExitInference(model, device="sim-numpy", images_per_transfer=0)
    with pytest.raises(InputError, match="threshold"):
        EarlyExitInference(model, device="sim-numpy", threshold=-1)
    for deadline in (float("nan"), float("inf"), -1, "2", None):
        with pytest.raises(InputError, match=r"deadline_seconds is .* finite"):
            EarlyExitInference(model, device="sim-numpy", deadline_seconds=deadline)
    for option in ("retries", "images_per_transfer"):
        with pytest.raises(InputError, match=f"{option} is 1.5; it must be a whole number"):
            EarlyExitInference(model, device="sim-numpy", **{option: 1.5})
    with pytest.raises(InputError, match="not by NoneType"):
        EarlyExitInference(None, device="sim-numpy")
    with pytest.raises(InputError, match="not by int"):
        EarlyExitInference(model, device="sim-numpy", bitfile=5)
    with pytest.raises(ModelFileError, match="lenet9"):
        EarlyExitInference("lenet9", device="sim-numpy")


@pytest.mark.parametrize(("megabytes", "capacity"), [(128, 1024), (1, 256), (0.02, 4)])
def test_transfers_are_sized_by_the_memory_that_there_is(model, megabytes, capacity):
    with (
        SimulatedDevice(model, kernel="numpy", memory_bytes=int(megabytes * (1 << 20))) as device,
        EarlyExitInference(model, device=device) as network,
    ):
        assert [slot.capacity for slot in network.accelerator.slots] == [capacity] * 2
        assert len(network.classify(np.zeros((9, 28, 28), np.uint8))) == 9


@pytest.mark.parametrize(("pages", "asked"), [(3, None), (256, 1024)])
def test_a_board_without_enough_memory_is_a_clear_error_and_keeps_nothing(model, pages, asked):
    with SimulatedDevice(model, kernel="numpy", memory_bytes=pages * PAGE_BYTES) as device:
        with pytest.raises(DeviceError, match=rf"no contiguous memory for 2 x {asked or 1} images of 1400 bytes"):
            EarlyExitInference(model, device=device, images_per_transfer=asked)
        assert device.live_buffers == 0
        if asked:
            with EarlyExitInference(model, device=device, images_per_transfer=64) as network:
                assert len(network.classify(np.zeros((65, 28, 28), np.uint8))) == 65


def test_calibrating_sets_the_thresholds_and_an_infeasible_constraint_leaves_them(network, images):
    before = network.threshold
    labels = network.classify(images).labels
    with pytest.raises(InputError, match="nearest feasible"):
        network.calibrate(images, labels, max_loss_points=-100)
    assert network.threshold == before
    found = network.calibrate(images, labels, min_early_share=0.5)
    assert network.threshold == found.thresholds
    assert network.classify(images).share(network.model.exits) <= 0.5
    network.threshold = before


def test_holding_a_rate_gives_every_prediction_in_order_and_puts_the_thresholds_back(network, images):
    before = network.threshold
    held = list(network.hold(iter(images), images_per_second=10.0, batch=50))
    assert sum(len(part.prediction) for part in held) == len(images)
    assert network.threshold == before
