"""What the process holds of the machine's memory."""

import ctypes


def give_back() -> None:
    """Return memory that was freed to the system, where the C library can (glibc); elsewhere do nothing.

    Reading a bundle and importing what is needed frees a tenth of the process, which glibc would keep for later.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
