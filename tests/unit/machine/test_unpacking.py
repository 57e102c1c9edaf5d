import gzip
import io

import pytest

from molgfn.errors import InputError
from molgfn.machine.unpacking import HARMLESS_BYTES, MAX_RATIO, Unpacked, check_unpacked_size


@pytest.mark.parametrize(
    ("packed", "unpacked", "is_refused"),
    [
        (1, HARMLESS_BYTES, False),
        (1, HARMLESS_BYTES + 1, True),
        (10**7, MAX_RATIO * 10**7, False),
        (10**7, MAX_RATIO * 10**7 + 1, True),
    ],
)
def test_data_that_shrink_a_lot_are_harmless_as_long_as_they_are_few(packed, unpacked, is_refused):
    if is_refused:
        with pytest.raises(InputError, match="x.gz: .* bytes unpack to more than"):
            check_unpacked_size("x.gz", packed, unpacked)
    else:
        check_unpacked_size("x.gz", packed, unpacked)


def test_members_one_after_the_other_are_one_content():
    data = gzip.compress(b"one\n") + gzip.compress(b"two\n" * 10**5)
    with io.BufferedReader(Unpacked(io.BytesIO(data), len(data), "x.gz")) as stream:
        assert stream.read() == b"one\n" + b"two\n" * 10**5
