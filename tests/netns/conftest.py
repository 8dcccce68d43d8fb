"""As in tests/net: what is checked after each scenario, and shown where one fails."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "net"))
import importlib.util  # noqa: E402

spec = importlib.util.spec_from_file_location("net_conftest", Path(__file__).resolve().parent.parent / "net" / "conftest.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
nothing_is_wrong, pytest_runtest_makereport = module.nothing_is_wrong, module.pytest_runtest_makereport
