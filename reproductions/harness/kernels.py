"""Triton kernels without a GPU: compiled ahead of time for sm_90, and run under Triton's interpreter.

Each is done in a process of its own, because Triton decides at its first import whether it interprets, and because a
kernel that never finishes compiling must be stopped.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import discovery
from .children import environment_for
from .spec import Kernel

SHARED_MEMORY = 232_448  # bytes that a program may use on sm_90
PATIENCE = 120.0  # seconds; a kernel that takes longer is not going to finish


@dataclass(frozen=True)
class Report:
    """What became of one kernel: bytes of shared memory and of stack, registers; ``fault`` says why it cannot run."""

    name: str
    shared: int | None = None
    registers: int | None = None
    stack: int | None = None
    fault: str = ""


def compile_ahead(slug: str, root: Path, patience: float = PATIENCE) -> list[Report]:
    """Compile every kernel that the technique names for sm_90.

    Raises ``RuntimeError`` when the compiler does not come back.
    """
    return [Report(**row) for row in _in_process("_compile", slug, root, "cuda", patience)]


def interpret(slug: str, root: Path, patience: float = PATIENCE) -> list[dict[str, Any]]:
    """Run every Triton method at size tiny under the interpreter, in fp32 and fp16, against the oracle.

    bf16 is left out: the interpreter multiplies its bit patterns. Rows name method, case, dtype, error and reason.
    """
    return list(_in_process("_interpret", slug, root, "cpu", patience))


def _in_process(command: str, slug: str, root: Path, device: str, patience: float) -> list[dict[str, Any]]:
    words = [sys.executable, "-m", "reproductions.harness", command, slug, "--root", str(root)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=patience, env=environment_for(device))
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{slug}: {command[1:]} did not finish in {patience:.0f} s") from error
    if done.returncode:
        raise RuntimeError(f"{slug}: {command[1:]} failed: {done.stderr[-2000:]}")
    return list(json.loads(done.stdout.splitlines()[-1]))


def compile_here(slug: str, root: Path) -> None:
    """Compile in this process, where ``TRITON_INTERPRET`` must not be set, and print the reports as JSON."""
    technique = discovery.load(slug, root).technique
    kernels = technique.kernels() if technique is not None and technique.kernels is not None else []
    print(json.dumps([asdict(_compile(kernel)) for kernel in kernels]))


def interpret_here(slug: str, root: Path) -> None:
    """Interpret in this process, where ``TRITON_INTERPRET`` must be set, and print the rows as JSON."""
    from .interpreter import rows

    print(json.dumps(rows(discovery.load(slug, root))))


def _compile(kernel: Kernel) -> Report:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = list(kernel.function.arg_names)
    attributes = {(names.index(name),): [["tt.divisibility", 16]] for name in kernel.divisible}
    signature = {name: "constexpr" if name in kernel.constants else kernel.signature[name] for name in names}
    try:
        source = ASTSource(kernel.function, signature, dict(kernel.constants), attributes)
        options = {"num_warps": kernel.warps, "num_stages": kernel.stages}
        compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    except Exception as error:  # whatever the compiler says is the result
        return Report(kernel.name, fault=f"{type(error).__name__}: {error}"[:500])
    shared = int(compiled.metadata.shared)
    usage = _resources(compiled.asm["cubin"])
    faults = [f"{shared} bytes of shared memory, {SHARED_MEMORY} there are"] if shared > SHARED_MEMORY else []
    spilled = usage.get("STACK", 0) + usage.get("LOCAL", 0)
    faults += [f"{spilled} bytes of stack and local memory: registers spill"] if spilled else []
    return Report(kernel.name, shared, usage.get("REG"), usage.get("STACK"), "; ".join(faults))


def _resources(cubin: bytes) -> dict[str, int]:
    """What cuobjdump, which comes with Triton, says of registers, stack and local memory."""
    import triton

    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        done = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, timeout=60, check=True)
    words = (word.split(":", 1) for word in done.stdout.split() if word.count(":") == 1)
    return {
        name: int(value) for name, value in words if name in ("REG", "STACK", "LOCAL", "SHARED") and value.isdigit()
    }
