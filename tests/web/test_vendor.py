"""What is vendored is what its page says, unchanged."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.resources import files


def test_the_vendored_file_is_the_one_that_was_published():
    vendor = files("assay.web").joinpath("static", "vendor")
    said = re.findall(
        r"\| `(\S+)` \| .* \| ([\d.]+) \| `([0-9a-f]{64})` \|",
        vendor.joinpath("README.md").read_text(),
    )
    assert said
    for name, version, digest in said:
        body = vendor.joinpath(name).read_bytes()
        assert sha256(body).hexdigest() == digest
        assert f'"{version}"'.encode() in body
    for name in ("LICENSE.echarts", "NOTICE.echarts"):
        assert "Apache" in vendor.joinpath(name).read_text()
