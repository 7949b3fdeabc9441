"""The one error that a person who runs the study is meant to read."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK = {
    errno.ENOSPC: "the disk is full: make room and run again",
    errno.EDQUOT: "the disk quota is used up: make room and run again",
    errno.EFBIG: "the file is larger than this process may write (ulimit -f): raise the limit and run again",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "there is no permission for it",
    errno.EPERM: "there is no permission for it",
    errno.EIO: "the disk does not work",
}
SHORT = (  # what is said, in errors of no type of their own, when there is too little memory; in lower case
    "out of memory",  # CUDA, Python
    "not enough memory",  # torch on the CPU
    "bad_alloc",  # C++
    "could not create a primitive",  # oneDNN
    "can't start new thread",  # Python: no room for its stack
    "cannot allocate memory",  # the system
    "failed to map segment",  # its loader of shared objects
    "unable to mmap",  # torch and safetensors
)


class StudyError(Exception):
    """Bad input or a failed run: one line that names the key, file or image and says what to do."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """The text with what no line can show, as names of files may hold it, written out: \\n, \\udce9."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_line(error: Exception) -> str:
    """Of what an error says."""
    return str(error).strip().partition("\n")[0]


def memory_is_short(error: BaseException) -> bool:
    """Whether an error says that memory is used up, by its type or else by its words. A SystemError is of an extension
    of Python's that did not look whether it got what it asked for."""
    return isinstance(error, (MemoryError, SystemError)) or any(words in str(error).lower() for words in SHORT)


def told(error: Exception) -> StudyError | None:
    """The line for an error that is the user's, the disk's or the memory's; None for one of the project's own."""
    if isinstance(error, StudyError):
        return error
    if memory_is_short(error):
        return StudyError("out of memory: lower batch_size, compute.threads or --jobs, or take a larger machine")
    return disk_trouble(error) if isinstance(error, OSError) else None


def print_any_letter() -> None:
    """Let nothing that is printed fail for want of a letter in the locale: \\xe9 stands for é then."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def disk_trouble(error: OSError, path: Path | None = None) -> StudyError | None:
    """The line for a disk that does not take or give a file, which is `path` if the error names none; None for any
    other error."""
    reason = DISK.get(error.errno)
    if error.errno is None and "requested and" in str(error):  # numpy's words for a file that was cut short
        reason = DISK[errno.ENOSPC]
    return StudyError(f"{error.filename or path or 'a file'} cannot be used: {reason}") if reason else None
