"""The device's files: private to their owner, and every failure is a StorageError."""

from functools import partial

from overtone_common import files
from overtone_edge.core.errors import StorageError

storing = partial(files.storing, error=StorageError)
make_folder = partial(files.make_folder, error=StorageError, private=True)
write_atomically = partial(files.write_atomically, error=StorageError, private=True)
read_limited = partial(files.read_limited, error=StorageError)
read_arrays = partial(files.read_arrays, error=StorageError)
sync_folder = partial(files.sync_folder, error=StorageError)
remove = partial(files.remove, error=StorageError)
remove_leftovers = partial(files.remove_leftovers, error=StorageError)
