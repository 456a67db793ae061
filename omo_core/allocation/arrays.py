"""Names for the array types that the allocator's signatures speak of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array whose element type the docstring gives; kernels accept several."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
