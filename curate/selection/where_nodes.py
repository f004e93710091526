"""How each kind of node of a condition is computed; kinds missing from `NODES` are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import polars as pl
from sqlglot import exp

from curate.errors import SettingsError, did_you_mean
from curate.selection import row_functions as functions
from curate.selection.row_values import EXAMPLE, TYPES, Value, applied, converted, is_boolean, of_known, wrong

Compute = Callable[[pl.DataFrame], Value]
Applied = Callable[[Callable[..., pl.Expr], Sequence[Value]], Value]
Node = Any
"""A node of sqlglot's tree; its class was renamed between versions."""
DIGITS = 18


def compiled(node: Node) -> Compute:
    """Return the function that computes a node.

    Raises:
        SettingsError: a condition cannot contain such a node.
    """
    if node.args.get("negate"):
        positive = node.copy()
        positive.set("negate", None)
        return compiled(exp.Not(this=positive))
    make = NODES.get(type(node))
    if make is None or any(value for name, value in node.args.items() if name not in READ):
        raise _refused(node)
    return make(node)


def _refused(node: Node) -> SettingsError:
    if node.find(exp.Window) is not None:
        return _aggregates("OVER")
    return wrong(f"A condition cannot contain {node.sql()[:60]}")


def _aggregates(name: str) -> SettingsError:
    what = f"--where must be true or false for each row; it cannot aggregate ({name})."
    return wrong(what, "To rank rows, use --by and --top.")


def _operator(make: Callable[..., pl.Expr], value_of: Applied = of_known) -> Callable[[Node], Compute]:
    """For nodes with one or two operands."""

    def make_of(node: Node) -> Compute:
        operands = [compiled(one) for one in (node.this, node.args.get("expression")) if one is not None]
        return lambda frame: value_of(make, [one(frame) for one in operands])

    return make_of


def _comparison(make: Callable[..., pl.Expr]) -> Callable[[Node], Compute]:
    """For nodes that compare two values. A chain such as `0 < a < 1` is refused: SQL would compare true with 1."""

    def make_of(node: Node) -> Compute:
        if isinstance(node.this, COMPARISONS) or isinstance(node.expression, COMPARISONS):
            raise wrong(f"Comparisons cannot be chained: {node.sql()[:60]}", "Join two with AND.")
        return _operator(make)(node)

    return make_of


def _logical(make: Callable[..., pl.Expr]) -> Callable[[Node], Compute]:
    """For AND, OR and NOT in three-valued logic; a chain of the same operator is flattened, whatever its length."""

    def make_of(node: Node) -> Compute:
        parts = list(node.flatten()) if isinstance(node, exp.Connector) else [node.this]
        operands = [compiled(one) for one in parts]

        def compute(frame: pl.DataFrame) -> Value:
            values = [one(frame) for one in operands]
            _require_booleans(values, parts)
            return reduce(lambda a, b: applied(make, [a, b]), values) if len(values) > 1 else applied(make, values)

        return compute

    return make_of


def _require_booleans(values: Sequence[Value], nodes: Sequence[Node]) -> None:
    for value, node in zip(values, nodes, strict=True):
        if not is_boolean(value):
            raise wrong(f"{node.sql()[:60]} is neither true nor false.")


def _constant(value: Value) -> Compute:
    return lambda _: value


def _literal(node: Node) -> Compute:
    text = node.this
    if node.is_string:
        return _constant(text)
    return _constant(int(text) if text.isdigit() and len(text) <= DIGITS else float(text))


def _column(node: Node) -> Compute:
    """A column, or a field of a struct in it: `column.field`."""
    name, *fields = node.parts
    if not isinstance(name, exp.Identifier):
        raise _refused(node)
    return reduce(_field, [one.name for one in fields], lambda frame: frame[name.name])


def _field(of: Compute, name: str) -> Compute:
    def compute(frame: pl.DataFrame) -> Value:
        value = of(frame)
        kind = value.dtype if isinstance(value, pl.Series) else None
        known = [one.name for one in kind.fields] if isinstance(kind, pl.Struct) else []
        if name not in known:
            raise wrong(f"There is no field {name}.", did_you_mean(name, known) or EXAMPLE)
        return applied(lambda one: one.struct.field(name), [value])

    return compute


def _dot(node: Node) -> Compute:
    if isinstance(node.expression, exp.Identifier):
        return _field(compiled(node.this), node.expression.name)
    raise _refused(node)


def _bracket(node: Node) -> Compute:
    """`list[1]`, or `struct['field']`."""
    if len(node.expressions) != 1:
        raise _refused(node)
    if node.expressions[0].is_string:
        return _field(compiled(node.this), node.expressions[0].name)
    operands = [compiled(node.this), compiled(node.expressions[0])]
    return lambda frame: of_known(functions.array_get, [one(frame) for one in operands])


def _array(node: Node) -> Compute:
    if node.find(exp.Column) is not None:
        raise _refused(node)
    return _constant([compiled(one)(pl.DataFrame()) for one in node.expressions])


def _equal(node: Node) -> Compute:
    """`a = b`, or `a = ANY(list)`."""
    if not isinstance(node.expression, exp.Any):
        return _comparison(lambda a, b: a == b)(node)
    operands = [compiled(node.expression.this), compiled(node.this)]
    return lambda frame: of_known(functions.FUNCTIONS["ARRAY_CONTAINS"].make, [one(frame) for one in operands])


def _is(node: Node) -> Compute:
    if isinstance(node.expression, exp.Null):
        return _operator(lambda value, _: value.is_null(), applied)(node)
    if not isinstance(node.expression, exp.Boolean):
        raise _refused(node)
    return _operator(lambda value, truth: value.eq_missing(truth), applied)(node)


def _in(node: Node) -> Compute:
    if not node.expressions:
        raise _refused(node)
    value, entries = compiled(node.this), [compiled(one) for one in node.expressions]

    def compute(frame: pl.DataFrame) -> Value:
        wanted, found = value(frame), [one(frame) for one in entries]
        texts = [one for one in found if isinstance(one, str)]
        if len(texts) == len(found):
            return of_known(lambda one: one.is_in(texts), [wanted])
        same = [of_known(lambda a, b: a == b, [wanted, one]) for one in found]
        return reduce(lambda a, b: applied(lambda x, y: x.cast(pl.Boolean) | y.cast(pl.Boolean), [a, b]), same)

    return compute


def _between(node: Node) -> Compute:
    above = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
    below = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
    return compiled(exp.And(this=above, expression=below))


def _matching(flags: str, like: bool) -> Callable[[Node], Compute]:
    """For LIKE, ILIKE and the regular-expression operators."""

    def make_of(node: Node) -> Compute:
        pattern = node.expression
        if not pattern.is_string:
            raise wrong(f"A pattern is a text in single quotes, not {pattern.sql()[:60]}")
        text = flags + (functions.like_pattern(pattern.name) if like else pattern.name)
        value = compiled(node.this)
        return lambda frame: of_known(lambda one: one.str.contains(text), [value(frame)])

    return make_of


def _case(node: Node) -> Compute:
    """`CASE WHEN condition THEN value ... ELSE value END`, or `CASE value WHEN other THEN ...`."""
    of = node.args.get("this")
    cases = [one.this for one in node.args["ifs"]]
    tests = cases if of is None else [exp.EQ(this=of.copy(), expression=one.copy()) for one in cases]
    values = [*(one.args["true"] for one in node.args["ifs"]), node.args.get("default") or exp.Null()]
    whens, thens = [compiled(one) for one in tests], [compiled(one) for one in values]

    def compute(frame: pl.DataFrame) -> Value:
        holds = [one(frame) for one in whens]
        _require_booleans(holds, tests)
        return applied(functions.first_true, [*holds, *(one(frame) for one in thens)])

    return compute


def _cast(strict: bool) -> Callable[[Node], Compute]:
    def make_of(node: Node) -> Compute:
        kind = getattr(node.args["to"].this, "name", "")
        if kind not in TYPES or node.args["to"].expressions:
            types = "Use INT, DOUBLE, TEXT, BOOLEAN or DATE."
            raise wrong(f"No value can be cast to {node.args['to'].sql()[:60]}", types)
        value = compiled(node.this)
        return lambda frame: converted(value(frame), kind, strict)

    return make_of


def _call(node: Node) -> Compute:
    name = str(node.name).upper()
    found = functions.FUNCTIONS.get(name)
    if name in functions.AGGREGATES:
        raise _aggregates(name)
    if found is None:
        raise wrong(f"A condition cannot use the function {name}.", did_you_mean(name, functions.FUNCTIONS))
    arguments = [compiled(one) for one in node.expressions]
    if not found.least <= len(arguments) <= found.most:
        wanted = found.least if found.least == found.most else f"{found.least} to {found.most}"
        raise wrong(f"{name} takes {wanted} arguments, not {len(arguments)}.")

    def compute(frame: pl.DataFrame) -> Value:
        values = [one(frame) for one in arguments]
        fixed = {i: values[i] for i in found.constants if i < len(values)}
        if any(isinstance(one, pl.Series) for one in fixed.values()):
            raise wrong(f"{name} needs a constant there.")
        value_of = of_known if found.known else applied
        return value_of(lambda *given: found.make(*(fixed.get(i, one) for i, one in enumerate(given))), values)

    return compute


COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
# fmt: off
READ = frozenset({
    "this", "expression", "expressions", "to", "ifs", "true", "default", "low", "high", "table", "db", "catalog",
    "is_string", "quoted", "typed", "safe", "offset", "_type",
})
# fmt: on
"""Parts of a node that are read, or that do not affect its value; a node with any other part is refused."""
NODES: dict[type[Any], Callable[[Node], Compute]] = {
    exp.Paren: lambda node: compiled(node.this),
    exp.Column: _column,
    exp.Dot: _dot,
    exp.Bracket: _bracket,
    exp.Array: _array,
    exp.Literal: _literal,
    exp.Boolean: lambda node: _constant(bool(node.this)),
    exp.Null: lambda _: _constant(None),
    exp.And: _logical(lambda a, b: a.cast(pl.Boolean) & b.cast(pl.Boolean)),
    exp.Or: _logical(lambda a, b: a.cast(pl.Boolean) | b.cast(pl.Boolean)),
    exp.Not: _logical(lambda a: ~a.cast(pl.Boolean)),
    exp.EQ: _equal,
    exp.NEQ: _comparison(lambda a, b: a != b),
    exp.GT: _comparison(lambda a, b: a > b),
    exp.GTE: _comparison(lambda a, b: a >= b),
    exp.LT: _comparison(lambda a, b: a < b),
    exp.LTE: _comparison(lambda a, b: a <= b),
    exp.NullSafeEQ: _operator(lambda a, b: a.eq_missing(b), applied),
    exp.NullSafeNEQ: _operator(lambda a, b: a.ne_missing(b), applied),
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Like: _matching("(?s)", like=True),
    exp.ILike: _matching("(?is)", like=True),
    exp.RegexpLike: _matching("", like=False),
    exp.RegexpILike: _matching("(?i)", like=False),
    exp.Neg: _operator(lambda value: -value),
    exp.Add: _operator(lambda a, b: a + b),
    exp.Sub: _operator(lambda a, b: a - b),
    exp.Mul: _operator(lambda a, b: a * b),
    exp.Div: _operator(lambda a, b: a / b),
    exp.IntDiv: _operator(functions.divided),
    exp.Mod: _operator(functions.remainder),
    exp.BitwiseAnd: _operator(lambda a, b: a & b),
    exp.BitwiseOr: _operator(lambda a, b: a | b),
    exp.DPipe: _operator(lambda a, b: pl.concat_str(a, b)),
    exp.Case: _case,
    exp.Cast: _cast(strict=True),
    exp.TryCast: _cast(strict=False),
    exp.Anonymous: _call,
}
