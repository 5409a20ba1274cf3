"""The settings and methods of a benchmark that its options select."""

from __future__ import annotations

from alr_cli.bench.protocol import (
    BY_NAME,
    DEFAULT_BOUNDARY,
    DEFAULT_KERNEL,
    DEFAULT_MISSING,
    Boundary,
    Missing,
    Setting,
    Task,
)
from alr_cli.bench.targets import PLANS, Plan, Target, lacking, owners
from alr_cli.cli.options import values
from alr_cli.cli.options.benchmarking import ProtocolOptions
from alr_cli.errors import UsageError


def settings_of(target: Target | None, protocol: ProtocolOptions) -> list[Setting]:
    """All combinations of task, operator, noise level and clipping that were requested. Raises UsageError or
    InputError."""
    plan = PLANS[target]
    _check_options(plan, protocol)
    clips = plan.clips if protocol.clip is None else (protocol.clip,)
    return [
        Setting(task, sigma, clip, protocol.seed, kernel, boundary, missing)
        for task in plan.tasks
        for clip in clips
        for kernel, boundary, missing in _operators(task, protocol)
        for sigma in _sigmas(protocol, plan, task)
    ]


def sides_of(protocol: ProtocolOptions) -> tuple[int, ...] | None:
    """--sides as numbers; None if it was not given. Raises UsageError."""
    if protocol.sides is None:
        return None
    return tuple(values.whole("--sides", least=1)(side.strip()) for side in protocol.sides.split(","))


def _check_options(plan: Plan, protocol: ProtocolOptions) -> None:
    given = {
        "--data": protocol.data,
        "--limit": protocol.limit,
        "--sigmas": protocol.sigmas,
        "--methods": protocol.methods,
        "--kernel": protocol.kernel,
        "--kernels": protocol.kernels,
        "--boundary": protocol.boundary,
        "--missing": protocol.missing,
        "--sides": protocol.sides,
        "--crop": protocol.crop,
        "--steps": protocol.steps,
        "--train-dir": protocol.train_dir,
        "--task": protocol.task,
        "--clip": protocol.clip,
    }
    for option, value in given.items():
        if value is not None and option not in plan.options:
            raise UsageError(f"{option} belongs to alr benchmark {owners(option)}: leave it out")
    if protocol.kernel is not None and protocol.kernels is not None:
        raise UsageError("--kernel is one blur and --kernels the ten blurs of a protocol: give one of them")


Operator = tuple[str | None, Boundary | None, Missing | None]


def _operators(task: Task, protocol: ProtocolOptions) -> list[Operator]:
    if task == "denoise":
        return [(None, None, None)]
    if task == "inpaint":
        return [(None, None, missing) for missing in _missing(protocol.missing)]
    if protocol.kernels is not None:
        from alr_cli.bench.blurs import gs_pnp

        boundary = protocol.boundary or "circular"
        return [(kernel, boundary, None) for kernel in gs_pnp(protocol.kernels)]
    return [(protocol.kernel or DEFAULT_KERNEL, protocol.boundary or DEFAULT_BOUNDARY, None)]


def _missing(text: str | None) -> tuple[Missing, ...]:
    if text is None:
        return (DEFAULT_MISSING,)
    share = values.number("--missing", above=0, below=1)
    parts = [part.strip() for part in text.split(",")]
    found: list[Missing] = ["text" if part == "text" else share(part) for part in parts]
    return tuple(dict.fromkeys(found))


def _sigmas(protocol: ProtocolOptions, plan: Plan, task: Task) -> tuple[float, ...]:
    text = protocol.sigmas
    if text is None:
        if protocol.kernels is not None:
            from alr_cli.bench.blurs import GS_PNP_SIGMAS

            return GS_PNP_SIGMAS
        return plan.sigmas_of(task)
    sigmas = [values.parse_sigma(part.strip()) for part in text.split(",")]
    known = tuple(dict.fromkeys(sigma for sigma in sigmas if sigma is not None))
    if len(known) < len(sigmas):
        raise UsageError(f"--sigmas {text}: give each noise level once, as a number such as 0.1 or 25/255")
    if task == "denoise" and 0 in known:
        raise UsageError(f"--sigmas {text}: there is nothing to denoise at level 0, leave it out")
    return known


def methods_of(target: Target | None, text: str | None) -> tuple[dict[Task, tuple[str, ...]], list[str]]:
    """The methods for each task, and one sentence for each default method that cannot run here.

    Raises UsageError if a method that was named explicitly cannot run.
    """
    plan = PLANS[target]
    if text is None:
        wanted = {task: plan.methods_for(task) for task in plan.tasks}
        problems = {name: lacking(BY_NAME[name]) for names in wanted.values() for name in names}
        able = {
            task: tuple(name for name in names if problems[name] is None) for task, names in wanted.items()
        }
        return able, [problem for problem in problems.values() if problem is not None]
    names = _named(text, plan.tasks)
    return {task: tuple(name for name in names if task in BY_NAME[name].tasks) for task in plan.tasks}, []


def _named(text: str, tasks: tuple[Task, ...]) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"--methods: {name!r} is not a method, choose from {', '.join(BY_NAME)}")
        able = BY_NAME[name].tasks
        if not set(tasks) & set(able):
            raise UsageError(f"--methods: {name} cannot {' or '.join(tasks)}, only {', '.join(able)}")
        problem = lacking(BY_NAME[name])
        if problem is not None:
            raise UsageError(f"--methods: {problem}")
    return names
