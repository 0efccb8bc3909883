"""The network all in software: no board, no simulation, no pynq, and what only a board has is refused by name."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import models
from pynq_ee import EarlyExitInference, remainder, software
from pynq_ee.errors import DeviceError, InputError
from pynq_ee.inference import LEAST_BESIDE
from pynq_ee.network import fabric
from pynq_ee.network.weights import Model
from pynq_ee.trace import FABRIC, HOST, IN_FLIGHT, Trace

ENGINES = [name for name in remainder.available() if remainder.ENGINES[name].first_exit]


@pytest.fixture(scope="module")
def model() -> Model:
    return models.random_model(11)


@pytest.fixture(params=ENGINES)
def network(request: pytest.FixtureRequest, model: Model) -> Iterator[EarlyExitInference]:
    options = {"images_per_transfer": 16, "threshold": 1.0}
    with EarlyExitInference(model, device="software", remainder=request.param, **options) as opened:
        yield opened


def test_it_needs_neither_pynq_nor_its_numpy_nor_a_compiler() -> None:
    program = (
        "import sys; sys.modules['pynq'] = None\n"
        "sys.modules['pynq_ee.remainder._native'] = sys.modules['pynq_ee.driver._native_results'] = None\n"
        "import numpy; numpy.__version__ = '2.1.0'\n"
        "from pynq_ee import EarlyExitInference, remainder\n"
        "remainder.available = lambda: ['numpy']\n"
        "with EarlyExitInference(device='software') as network:\n"
        "    print(network.classify(numpy.zeros((3, 28, 28), numpy.uint8)))\n"
        "loaded = {name.split('.')[1] for name in sys.modules if name.startswith('pynq_ee.')}\n"
        "assert not loaded & {'sim', 'generate', 'bench'}, loaded"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "of 3 images" in done.stdout and done.stdout.strip().endswith("software (NumPy)>")


def test_the_device_tells_its_engine(network: EarlyExitInference) -> None:
    name = str(network.device.name)
    assert name == f"software ({software.described(network.remainder)})" and name in repr(network)
    assert "no fabric" in repr(network) and network.board is None and network.clock_mhz is None
    assert network.capacity == 16 and "thread" in network.completion


def test_an_engine_without_a_first_exit_is_given_that_of_the_default_one(model: Model, noise: np.ndarray) -> None:
    pytest.importorskip("onnxruntime", reason="pip install 'pynq_ee[bench]'")
    pytest.importorskip("onnx", reason="pip install 'pynq_ee[bench]'")
    with pytest.raises(InputError, match="the onnx engine computes no first exit; numpy and native do"):
        remainder.first_exit("onnx", model)
    with EarlyExitInference(model, device="software", remainder="onnx", threshold=1.0) as network:
        assert network.device.name == f"software ({software.described(remainder.default())})"
        found = network.all_exits(noise)
    with EarlyExitInference(model, device="software", threshold=1.0) as network:
        np.testing.assert_array_equal(found, network.all_exits(noise))


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"bitfile": "first_exit.bit"}, "no bitstream is loaded; leave bitfile out"),
        ({"features": False}, "features is False"),
        ({"deadline_seconds": 1.0}, "nothing is waited for that might not come"),
        ({"retries": 3}, "nothing is sent that might fail"),
        ({"verify": "all"}, "nothing is sent that could be verified"),
        ({"images_per_transfer": 0}, "images_per_transfer is 0; it must be a whole number, 1 or more"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": 2, "remainder": "numpy"}, "the numpy engine takes no number of threads, native and onnx do"),
    ],
)
def test_what_only_a_board_has_and_what_cannot_be_is_refused_with_the_reason(
    model: Model, option: dict, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        EarlyExitInference(model, device="software", **option)


@pytest.mark.parametrize("count", [1025, 10**30])
def test_more_threads_than_there_can_be_are_refused_before_there_are_images(model: Model, count: int) -> None:
    with pytest.raises(InputError, match=f"threads is {count}; it must be a whole number, 1 to 1024"):
        EarlyExitInference(model, device="software", threads=count)


@pytest.mark.parametrize("option", ["threads", "images_per_transfer"])
def test_numbers_of_numpy_are_numbers(model: Model, noise: np.ndarray, option: str) -> None:
    with EarlyExitInference(model, device="software", **{option: np.int64(1)}) as network:
        assert len(network.classify(noise)) == len(noise)


def test_every_option_of_a_board_that_is_refused_is_one_and_may_be_given_as_it_is_by_default(model: Model) -> None:
    defaults = EarlyExitInference.__init__.__kwdefaults__
    EarlyExitInference(model, device="software", **{name: defaults[name] for name in software.NO_BOARD}).close()


def test_there_is_no_accelerator_and_no_overlay_to_load_again(network: EarlyExitInference) -> None:
    for call in (lambda: network.accelerator, network.reload):
        with pytest.raises(DeviceError, match="no accelerator is driven, and no overlay is loaded"):
            call()


def test_once_closed_it_takes_no_more_images(network: EarlyExitInference, noise: np.ndarray) -> None:
    stream = network.stream(noise, batch=8)
    next(stream)
    network.close()
    network.close()
    for call in (lambda: network.classify(noise), lambda: next(stream), lambda: network.capacity):
        with pytest.raises(DeviceError, match="closed"):
            call()


@pytest.mark.skipif("native" not in ENGINES, reason="no native engine: no C++ compiler at installation")
def test_on_several_threads_the_same_comes_out(model: Model) -> None:
    images = np.random.default_rng(3).integers(0, 256, (300, 28, 28)).astype(np.uint8)
    found = []
    for threads in (1, 3):
        with EarlyExitInference(model, device="software", threads=threads, threshold=1.0) as network:
            found.append(network.classify(images))
    assert found[0] == found[1]


def test_the_trace_has_the_first_exit_in_flight_and_no_fabric(network: EarlyExitInference, noise: np.ndarray) -> None:
    network.trace = trace = Trace()
    prediction = network.classify(noise)
    computed = sum(span.end - span.begin for span in trace.lane(IN_FLIGHT))
    waited = sum(span.end - span.begin for span in trace.lane(HOST) if span.stage == "fabric")
    assert [span.batch for span in trace.lane(IN_FLIGHT)] == [0, 1, 2] and not trace.lane(FABRIC)
    assert 0 < computed <= waited == pytest.approx(prediction.seconds["fabric"])


# The remainder in a thread of its own ---------------------------------------------------------------------------------


@pytest.fixture
def two_cores(model: Model) -> Iterator[EarlyExitInference]:
    """Of which every image reaches the remainder."""
    if "native" not in ENGINES:
        pytest.skip("the native engine was not built")
    with EarlyExitInference(model, device="software", images_per_transfer=8, threshold=0, threads=2) as opened:
        yield opened


def handed_over(network: EarlyExitInference, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The remainders that are handed over from now on, by their images."""
    found: list[int] = []
    hand_over = network._policy.hand_over

    def noted(beside: Any, features: np.ndarray) -> Any:
        found.append(len(features))
        return hand_over(beside, features)

    monkeypatch.setattr(network._policy, "hand_over", noted)
    return found


def test_remainders_are_handed_over_and_predictions_keep_their_order(
    two_cores: EarlyExitInference, model: Model, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EarlyExitInference(model, device="software", threshold=0, threads=1) as network:
        assert network._beside is None
        expected = network.classify(noise)
    handed = handed_over(two_cores, monkeypatch)
    found = list(two_cores.stream(noise, batch=8))
    for number, prediction in enumerate(found):
        assert prediction == expected[number * 8 : (number + 1) * 8] and prediction.seconds["remainder"] > 0
    assert two_cores.classify(noise) == expected
    assert sum(handed) == 2 * len(noise)


def test_one_batch_alone_and_a_stream_that_asks_for_it_have_their_remainder_where_they_are(
    two_cores: EarlyExitInference, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = handed_over(two_cores, monkeypatch)
    two_cores.classify(noise[:8])
    for options in ({"beside": False}, {"overlap": False}):
        list(two_cores.stream(noise, batch=8, **options))
    list(two_cores.stream(noise, batch=LEAST_BESIDE - 1))
    asyncio.run(two_cores.classify_async(noise))
    assert handed == []


@pytest.mark.parametrize("engine", [name for name in ENGINES if not remainder.ENGINES[name].beside])
def test_an_engine_that_needs_the_interpreter_computes_where_it_is(model: Model, engine: str) -> None:
    with EarlyExitInference(model, device="software", remainder=engine) as network:
        assert network._beside is None


def test_a_prediction_of_the_thread_comes_one_batch_later(two_cores: EarlyExitInference, noise: np.ndarray) -> None:
    for options, ahead in (({}, 3), ({"beside": False}, 2), ({"overlap": False}, 1)):
        read: list[int] = []

        def source(read: list[int] = read) -> Iterator[np.ndarray]:
            for _ in range(40):
                read.append(1)
                yield noise[-1]

        next(two_cores.stream(source(), batch=8, **options))
        assert len(read) == 8 * ahead


def test_an_error_of_the_thread_arrives_in_its_place_and_leaves_a_working_network(
    two_cores: EarlyExitInference, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = two_cores.classify(noise)
    rest, calls = two_cores._policy.rest, itertools.count()

    def failing(*arguments: Any) -> None:
        if next(calls) == 1:
            raise MemoryError
        rest(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(two_cores._policy, "rest", failing)
        stream = two_cores.stream(noise, batch=8)
        assert next(stream) == expected[:8]
        with pytest.raises(MemoryError):
            next(stream)
    assert two_cores.classify(noise) == expected


def test_a_stream_whose_network_is_closed_meanwhile_ends_with_an_error(
    two_cores: EarlyExitInference, noise: np.ndarray
) -> None:
    stream = two_cores.stream(noise, batch=8)
    next(stream)
    two_cores.close()
    with pytest.raises(DeviceError, match="closed"):
        list(stream)


def test_a_stream_goes_on_in_a_fork_with_what_the_thread_was_to_compute(
    two_cores: EarlyExitInference, noise: np.ndarray
) -> None:
    expected = two_cores.classify(noise)
    stream = two_cores.stream(noise, batch=8)
    next(stream)
    child = os.fork()
    if not child:
        rest = list(stream)
        os._exit(0 if np.array_equal(np.concatenate([each.logits for each in rest]), expected.logits[8:]) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(map(len, stream)) == len(noise) - 8


# Coroutines, threads, forks ------------------------------------------------------------------------------------------


def test_a_coroutine_gets_the_same_while_a_thread_of_the_pool_computes(
    network: EarlyExitInference, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, threads = network.classify(noise), set()
    compute = network._first_exit._compute

    def noted(images: np.ndarray) -> object:
        threads.add(threading.current_thread())
        return compute(images)

    monkeypatch.setattr(network._first_exit, "_compute", noted)
    assert asyncio.run(network.classify_async(noise)) == expected
    assert threads and threading.current_thread() not in threads


def test_a_call_that_is_cancelled_while_its_thread_computes_leaves_a_working_network(
    network: EarlyExitInference, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = network.classify(noise)
    compute, begun, go_on = network._first_exit._compute, threading.Event(), threading.Event()

    def held(images: np.ndarray) -> object:
        begun.set()
        assert go_on.wait(60)
        return compute(images)

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(network._first_exit, "_compute", held)
            call = asyncio.ensure_future(network.classify_async(noise))
            while not begun.is_set():
                await asyncio.sleep(0.001)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        go_on.set()
        assert await network.classify_async(noise[::-1]) == expected[::-1]

    asyncio.run(main())
    assert network.classify(noise) == expected


def test_an_interrupt_while_it_computes_leaves_a_working_network(
    network: EarlyExitInference, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = network.classify(noise)
    with monkeypatch.context() as patch:
        patch.setattr(network._first_exit, "_compute", lambda images: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            network.classify(noise)
    assert network.classify(noise) == expected


def test_a_forked_process_may_go_on_with_it(network: EarlyExitInference, noise: np.ndarray) -> None:
    expected = network.classify(noise)
    with network._first_exit._lock:  # as if a thread were computing
        child = os.fork()
        if not child:
            os._exit(0 if network.classify(noise) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engines_first_exit_is_the_definitions(engine: str, model: Model, noise: np.ndarray) -> None:
    features, logits = remainder.first_exit(engine, model)(noise)
    expected, expected_logits = fabric.first_exit(noise, model)
    np.testing.assert_array_equal(features, fabric.pack_features(expected))
    np.testing.assert_array_equal(logits, expected_logits)
