import io
import tarfile

import yaml

from tests.flux.repository import archive_of

ONE = {"kind": "ConfigMap", "metadata": {"name": "one"}}
TWO = {"kind": "ConfigMap", "metadata": {"name": "two"}}


def test_a_commit_is_the_same_bytes_for_the_same_objects() -> None:
    assert archive_of([ONE, TWO]) == archive_of([TWO, ONE])
    assert archive_of([ONE]) != archive_of([ONE, TWO])
    with tarfile.open(fileobj=io.BytesIO(archive_of([ONE, TWO])), mode="r:gz") as archive:
        assert archive.getnames() == ["configmap-one.yaml", "configmap-two.yaml"]
        file = archive.extractfile("configmap-two.yaml")
        assert file is not None
        assert yaml.safe_load(file) == TWO
