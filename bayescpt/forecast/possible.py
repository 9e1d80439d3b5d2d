"""Losses that a model can have: draws of a law far outside its data may leave them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# In nats per token. A uniform guess among 200,000 tokens has a loss of 12.2; training that
# diverges reaches several times that.
CEILING = 100.0


def possible(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep losses between 0, below which no cross-entropy lies, and a ceiling.

    Both the expected and the realised loss pass through here, after all terms, effects and noise:
    within the range of the pilots nothing changes.

    Parameters
    ----------
    losses : ndarray
        Nats per token; NaN stays. It is changed in place.

    Returns
    -------
    ndarray
        The same array.

    Examples
    --------
    >>> possible(np.array([-3.0, 2.5, np.inf, np.nan])).tolist()
    [0.0, 2.5, 100.0, nan]
    """
    return np.clip(losses, 0.0, CEILING, out=losses)
