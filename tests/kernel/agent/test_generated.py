"""Goal: the committed wire code is that of agent.proto. Method: generate it again and compare."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_wire_is_generated_from_the_contract(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "proto/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    written = module.generate(tmp_path / "wire")

    for file in written:
        assert file.read_text() == (module.TARGET / file.name).read_text(), (
            f"run proto/generate.py: {file.name} differs"
        )
