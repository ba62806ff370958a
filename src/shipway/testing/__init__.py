"""Public fakes, for our tests and for users' tests."""

from shipway.testing.clock import FakeClock
from shipway.testing.registry import MemoryRegistry
from shipway.testing.runtime import FixedRuntime, numbers
from shipway.testing.source import MemorySource

__all__ = ["FakeClock", "FixedRuntime", "MemoryRegistry", "MemorySource", "numbers"]
