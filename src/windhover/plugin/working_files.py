"""Files on their way into a task's working directory, and out of it. None leads outside."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.local_paths import path_pattern
from windhover.plugin.task import TaskFailure

_STORED = re.compile(r"kestra://[-a-zA-Z0-9%._+~#=/]*")

#: Where files named in commands are put; nothing in it is ever an output.
_DOWNLOADS = ".windhover"


class WorkingFiles:
    """The files in the working directory of one run."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self.directory = ctx.working_directory
        self._downloaded: dict[str, Path] = {}
        self._own: set[Path] = set()

    # -- in ----------------------------------------------------------------------------------------------

    async def add_inputs(self, files: Mapping[str, JsonValue]) -> None:
        """Write ``inputFiles``: contents as they are, files of the storage streamed; null values are skipped.

        Raises:
            TaskFailure: a name leads out of the working directory, or a file cannot be had.
        """
        for name, content in files.items():
            if content is None:
                continue
            target = self._inside(name, "inputFiles")
            target.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
            if _STORED.fullmatch(text.strip()):
                await self._download(text.strip(), target)
            elif text.startswith(("nsfile://", "file://")):
                raise TaskFailure(f"inputFiles: `{name}`: only kestra:// files and contents can be given")
            else:
                target.write_text(text, encoding="utf-8", newline="")

    def add_script(self, content: str, suffix: str) -> Path:
        """Write the script itself, beside the input files, so that it finds them."""
        number = len(self._own) + 1
        path = self.directory / f"windhover_script_{number}{suffix}"
        path.write_text(content, encoding="utf-8", newline="")
        self._own.add(path)
        return path

    async def localize(self, text: str) -> str:
        """Replace the URIs of stored files in a command by paths of local copies."""
        for uri in dict.fromkeys(_STORED.findall(text)):
            if uri not in self._downloaded:
                folder = self.directory / _DOWNLOADS / str(len(self._downloaded) + 1)
                folder.mkdir(parents=True)
                target = folder / (uri.rstrip("/").rpartition("/")[2] or "file")
                await self._download(uri, target)
                self._downloaded[uri] = target
        return _STORED.sub(lambda found: str(self._downloaded[found[0]]), text)

    async def _download(self, uri: str, target: Path) -> None:
        try:
            await self._ctx.files.download(uri, target)
        except (OSError, ValueError) as error:
            raise TaskFailure(f"Cannot get the file {uri}: {error}") from error

    # -- out ---------------------------------------------------------------------------------------------

    async def collect(self, patterns: Iterable[str], output_directory: Path | None) -> dict[str, str]:
        """Store the files that patterns of ``outputFiles`` name, and all of the output directory.

        Returns:
            The URIs by path within the directory.

        Raises:
            TaskFailure: a pattern leads out of the working directory.
        """
        found: dict[str, str] = {}
        for name, path in await asyncio.to_thread(list, self.matching(patterns)):
            found[name] = await self._ctx.files.put(path, name)
        if output_directory is not None:
            for path in await asyncio.to_thread(list, self._files_in(output_directory)):
                name = path.relative_to(output_directory).as_posix()
                found[name] = await self._ctx.files.put(path, name)
        return found

    def matching(self, patterns: Iterable[str]) -> Iterator[tuple[str, Path]]:
        """The files that patterns name, by their paths within the directory, sorted folder by folder.

        Raises:
            TaskFailure: a pattern leads out of the working directory.
        """
        wanted = self.compiled(patterns)
        for path in self._files_in(self.directory) if wanted else ():
            name = path.relative_to(self.directory).as_posix()
            if any(pattern.fullmatch(name) for pattern in wanted):
                yield name, path

    def compiled(self, patterns: Iterable[str]) -> list[re.Pattern[str]]:
        """Patterns for paths within the working directory.

        Raises:
            TaskFailure: a pattern leads out of the working directory.
        """
        return [path_pattern(self._relative(pattern)) for pattern in patterns]

    def _relative(self, pattern: str) -> str:
        if pattern.startswith("regex:"):
            return pattern
        relative = pattern.removeprefix("glob:").removeprefix(f"{self.directory}/").removeprefix("./")
        if PurePosixPath(relative).is_absolute() or ".." in PurePosixPath(relative).parts:
            raise TaskFailure(f"outputFiles: `{pattern}` leads out of the working directory")
        return relative

    def _files_in(self, folder: Path) -> Iterator[Path]:
        root = self.directory.resolve()
        for parent, folders, names in os.walk(folder):
            if _DOWNLOADS in folders and Path(parent) == self.directory:
                folders.remove(_DOWNLOADS)
            folders.sort()
            for name in sorted(names):
                path = Path(parent, name)
                if path in self._own or not path.is_file():
                    continue
                if path.is_symlink() and not path.resolve().is_relative_to(root):
                    shown = path.relative_to(self.directory)
                    self._ctx.logger.warn(f"outputFiles: `{shown}` is a link out of the working directory")
                    continue
                yield path

    def _inside(self, name: str, what: str) -> Path:
        relative = PurePosixPath(name)
        if not name.strip("/ .") or relative.is_absolute() or ".." in relative.parts or "\0" in name:
            raise TaskFailure(f"{what}: `{name}` is no path inside the working directory")
        target = self.directory / relative
        # A folder on the way may be a link that an earlier task in the same directory has made.
        if not target.resolve().is_relative_to(self.directory.resolve()):
            raise TaskFailure(f"{what}: `{name}` leads out of the working directory")
        return target


def named_files(patterns: Sequence[JsonValue], directory: Path) -> dict[str, JsonValue]:
    """The paths of output files that are named in full, for ``{{ outputFiles['name'] }}``."""
    return {
        pattern: str(directory / pattern)
        for pattern in patterns
        if isinstance(pattern, str) and not any(char in pattern for char in "*?[{")
    }
