"""Archives that depend on their content only: sorted names, one time, no owner, no time in the gzip header."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

EXECUTABLE = 0o755
PLAIN = 0o644


def write_tar(target: Path, *, root: Path, files: Iterable[Path], epoch: int, prefix: str = "") -> Path:
    """Write `files` below `root` as a tar file, compressed if the name ends in `gz`."""
    with target.open("wb") as raw:
        if target.suffix in {".gz", ".tgz"}:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
                _write(stream, root=root, files=files, epoch=epoch, prefix=prefix)
        else:
            _write(raw, root=root, files=files, epoch=epoch, prefix=prefix)
    return target


def files_below(folder: Path) -> list[Path]:
    """All files of a folder, sorted by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write(
    stream: io.BufferedWriter | gzip.GzipFile, *, root: Path, files: Iterable[Path], epoch: int, prefix: str
) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(files):
            info = tarfile.TarInfo(f"{prefix}{path.relative_to(root).as_posix()}")
            info.size = path.stat().st_size
            info.mtime = epoch
            info.mode = EXECUTABLE if path.stat().st_mode & 0o100 else PLAIN
            with path.open("rb") as source:
                tar.addfile(info, source)
