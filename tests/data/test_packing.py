"""Packed arrays and tables are restored exactly, with their types."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import packing


@pytest.mark.parametrize(
    "array", [np.array([0.1, np.nan, np.inf, -0.0]), np.arange(3), np.empty(0), np.ones(2, ">f8")]
)
def test_array_comes_back_bit_for_bit(array):
    back = packing.unpack(json.loads(json.dumps(packing.pack(array))))
    np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(np.signbit(back), np.signbit(array))


def test_constant_learning_rates_take_little_room():
    assert len(packing.pack(np.full(72_000, 3e-4))["zlib"]) < 2000  # of 576,000 bytes


def test_frame_comes_back_with_its_types():
    frame = pd.DataFrame(
        {
            "name": pd.Series(["a", None, "b"], dtype="str"),
            "count": [1, 2, 3],
            "value": [0.1, np.nan, 3.0],
            "flag": [True, False, True],
            "maybe": pd.array([1, None, 3], dtype="Int64"),
            "kind": pd.Categorical(["x", "y", "x"]),
        }
    )
    back = packing.unpack_frame(json.loads(json.dumps(packing.pack_frame(frame))))
    pd.testing.assert_frame_equal(back, frame)
