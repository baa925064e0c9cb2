"""Functions of text; characters are Unicode code points, places count from 1."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from raystream.expressions.bounds import between
from raystream.expressions.casts import cast
from raystream.expressions.problem import Problem
from raystream.expressions.table import Arguments, Function, simple
from raystream.expressions.values import INTEGER, TEXT, TRUTH, Typed, made

GROUP = "Text"
SIZE = between(0, 2**40)
"""Characters and bytes of a text."""

LONGEST = 10_000_000
"""Characters of a result of repeat or pad."""


def as_text(part: Typed) -> Typed:
    """Text of a value, as CAST(.. AS VARCHAR)."""
    return part if part.kind == "string" and part.dtype == TEXT else cast(part, "varchar", part.at)


def _joined(given: Arguments) -> Typed:
    parts = [as_text(part) for part in given.parts]
    return made(pl.concat_str([p.value for p in parts]), TEXT, parts, given.at)


def _concat(given: Arguments) -> Typed:
    parts = [as_text(part) for part in given.parts]
    values = [part.value.fill_null("") for part in parts]
    return made(pl.concat_str(values), TEXT, parts, given.at)


def _concat_ws(given: Arguments) -> Typed:
    separator, *parts = [as_text(part) for part in given.parts]
    listed = pl.concat_list([part.value for part in parts]).list.drop_nulls()
    value = pl.when(separator.value.is_not_null()).then(listed.list.join(separator.value))
    return made(value, TEXT, [separator, *parts], given.at)


def _substring(given: Arguments) -> Typed:
    """SQL: a start before the text takes characters off; negative counts from the end."""
    text, start = given[0].value, given[1].value
    size = text.str.len_chars().cast(INTEGER)
    first = pl.when(start < 0).then(pl.max_horizontal(size + start + 1, pl.lit(1))).otherwise(start)
    if len(given) < 3:
        return given.gives(_cut(text, first, size + 1), TEXT)
    length = given[2].value
    within = length.clip(-LONGEST * 100, LONGEST * 100)
    begin = (
        pl.when(start < 0)
        .then(size + start + 1)
        .otherwise(first)
        .clip(-LONGEST * 100, LONGEST * 100)
    )
    negative = given.fault(length < 0, "negative length")
    return given.gives(_cut(text, begin, begin + within), TEXT, negative)


def _cut(text: pl.Expr, first: pl.Expr, behind: pl.Expr) -> pl.Expr:
    """Characters from place `first` up to before `behind`."""
    start = first.clip(1, None)
    length = (behind - start).clip(0, None)
    whole = text.is_not_null() & first.is_not_null() & behind.is_not_null()
    return pl.when(whole).then(text.str.slice(start - 1, length.cast(pl.UInt64)))


def _left(given: Arguments) -> Typed:
    text, number = given[0].value, given[1].value
    size = text.str.len_chars().cast(INTEGER)
    wanted = pl.when(number < 0).then(size + number.clip(-LONGEST * 100, 0)).otherwise(number)
    return given.gives(_cut(text, pl.lit(1, INTEGER), wanted.clip(0, LONGEST * 100) + 1), TEXT)


def _right(given: Arguments) -> Typed:
    text, number = given[0].value, given[1].value
    size = text.str.len_chars().cast(INTEGER)
    bounded = number.clip(-LONGEST * 100, LONGEST * 100)
    first = pl.when(bounded < 0).then(1 - bounded).otherwise(size - bounded + 1)
    return given.gives(_cut(text, first, size + 1), TEXT)


def _position(given: Arguments) -> Typed:
    """Of the second in the first, as instr; POSITION(b IN a) is turned round by the parser."""
    text, wanted = given[0].value, given[1].value
    bytes_before = text.str.find(wanted, literal=True)
    empty = wanted == ""
    head = pl.concat_str([text, pl.lit("")]).str.split(wanted).list.first()
    place = (
        pl.when(bytes_before.is_null()).then(0).otherwise(head.str.len_chars().cast(INTEGER) + 1)
    )
    value = pl.when(empty).then(1).otherwise(place)
    known = text.is_not_null() & wanted.is_not_null()
    return given.gives(pl.when(known).then(value).cast(INTEGER), INTEGER)


def _pad(left: bool) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        text, length = given[0].value, given[1].value.clip(0, LONGEST)
        fill = given[2].value if len(given) > 2 else pl.lit(" ")
        size = text.str.len_chars().cast(INTEGER)
        missing = (length - size).clip(0, None)
        repeated = _times(fill, pl.when(fill != "").then(missing).otherwise(0))
        padding = repeated.str.slice(0, missing.cast(pl.UInt64))
        kept = _cut(text, pl.lit(1, INTEGER), length + 1)
        value = padding + kept if left else kept + padding
        long = given.fault(given[1].value > LONGEST, "text too long")
        short = given.fault((fill == "") & (missing > 0), "nothing to pad with")
        return given.gives(value, TEXT, long, short)

    return build


def _times(text: pl.Expr, number: pl.Expr) -> pl.Expr:
    """The text so many times; null of null."""
    count = number.fill_null(0).cast(pl.UInt32)
    made_ = pl.when(text.is_not_null()).then(text).repeat_by(count).list.join("")
    return pl.when(text.is_not_null() & number.is_not_null()).then(made_)


def _repeat(given: Arguments) -> Typed:
    text, number = given[0].value, given[1].value
    size = text.str.len_chars().cast(pl.Int128) * number.clip(0, None).cast(pl.Int128)
    too_long = size > LONGEST
    inside = pl.when(~too_long & (size > 0)).then(number).otherwise(0)
    value = pl.when(number.is_not_null()).then(_times(text, inside))
    return given.gives(value, TEXT, given.fault(too_long, "text too long"))


def _replace(given: Arguments) -> Typed:
    text, old, new = given.values()
    if _given_text(given[1]) and isinstance(given[2].constant, str):
        return given.gives(text.str.replace_all(old, new, literal=True), TEXT)
    value = pl.when((old != "") & new.is_not_null()).then(_replaced(text, old, new))
    kept = pl.when((old == "") & new.is_not_null()).then(text).otherwise(value)
    return given.gives(kept, TEXT)


def _replaced(text: pl.Expr, old: pl.Expr, new: pl.Expr) -> pl.Expr:
    """Split and joined: Polars' own replacement takes one pattern only."""
    pieces = pl.concat_str([text, pl.lit("")]).str.split(old)
    return pieces.list.join(new)


def _given_text(part: Typed) -> bool:
    """Whether it is text that is written out and not empty."""
    return isinstance(part.constant, str) and part.constant != ""


def _split_part(given: Arguments) -> Typed:
    text, by, number = given.values()
    place = given[2].constant
    if _given_text(given[1]) and isinstance(place, int) and place:
        parts = text.str.split(by).list
        piece = parts.get(place - 1 if place > 0 else place, null_on_oob=True).fill_null("")
        return given.gives(pl.when(text.is_not_null()).then(piece), TEXT)
    pieces = pl.concat_str([text, pl.lit("")]).str.split(by)
    whole = pl.when(by == "").then(pl.concat_list([text])).otherwise(pieces)
    index = pl.when(number > 0).then(number - 1).otherwise(number)
    bounded = index.clip(-LONGEST, LONGEST)
    piece = whole.list.get(bounded, null_on_oob=True).fill_null("")
    known = text.is_not_null() & by.is_not_null() & number.is_not_null()
    zero = given.fault(number == 0, "parts count from 1")
    return given.gives(pl.when(known).then(piece), TEXT, zero)


def _trim(side: str) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        which = str(given[2].constant) if len(given) > 2 else side
        characters = given[1].value if len(given) > 1 else pl.lit(" ")
        text = given[0].value
        strip: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
            "both": text.str.strip_chars,
            "leading": text.str.strip_chars_start,
            "trailing": text.str.strip_chars_end,
        }
        value = pl.when(characters == "").then(text).otherwise(strip[which](characters))
        return given.gives(pl.when(characters.is_not_null()).then(value), TEXT)

    return build


# -- patterns ----------------------------------------------------------------------------------


def _like(fold: bool) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        escape = str(given[2].constant) if len(given) > 2 else ""
        if len(escape) > 1:
            message = "ESCAPE takes one character"
            raise Problem(message, given[2].at)
        if given[1].constant is None:
            return given.gives(pl.lit(None, TRUTH), TRUTH)
        flags = "(?is)^" if fold else "(?s)^"
        if not given[1].written:
            return given.gives(_like_column(given, flags), TRUTH)
        pattern = _like_pattern(str(given[1].constant), escape, given[1].at)
        return given.gives(given[0].value.str.contains(f"{flags}{pattern}$"), TRUTH)

    return build


def _like_column(given: Arguments, flags: str) -> pl.Expr:
    if len(given) > 2:
        message = "ESCAPE needs a pattern that is written out"
        raise Problem(message, given[2].at)
    escaped = given[1].value.str.escape_regex()
    wild = escaped.str.replace_all("%", ".*", literal=True).str.replace_all("_", ".", literal=True)
    return given[0].value.str.contains(pl.lit(flags) + wild + pl.lit("$"))


def _like_pattern(pattern: str, escape: str, at: int) -> str:
    """The regular expression of a LIKE."""
    found, number = "", 0
    while number < len(pattern):
        character = pattern[number]
        if escape and character == escape:
            number += 1
            if number == len(pattern):
                message = "the escape character is the last one of the pattern"
                raise Problem(message, at)
            found += re.escape(pattern[number])
        else:
            found += {"%": ".*", "_": "."}.get(character, re.escape(character))
        number += 1
    return found.replace(r"\ ", " ")


def _regex(given: Arguments, number: int) -> str:
    """A pattern that is written out and can be read.

    Raises:
        Problem: it cannot.
    """
    pattern = str(given[number].constant)
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.PolarsError:
        message = f"{pattern!r} is not a regular expression that can be used here"
        advice = "look-around and back-references are not known"
        raise Problem(message, given[number].at, advice) from None
    return pattern


def _regexp_like(given: Arguments) -> Typed:
    return given.gives(given[0].value.str.contains(_regex(given, 1)), TRUTH)


def _regexp_extract(given: Arguments) -> Typed:
    pattern = _regex(given, 1)
    group = int(given[2].constant) if len(given) > 2 else 0
    if not 0 <= group <= re.compile(pattern).groups:
        message = f"the pattern has no group {group}"
        raise Problem(message, given[2].at)
    whole = pattern if group else f"({pattern})"
    found = given[0].value.str.extract(whole, group or 1)
    return given.gives(found, TEXT)


def _regexp_replace(given: Arguments) -> Typed:
    pattern = _regex(given, 1)
    new = re.sub(r"\\(\d)", r"${\1}", str(given[2].constant).replace("$", "$$"))
    options = str(given[3].constant) if len(given) > 3 else "g"
    if set(options) - set("gi"):
        message = f"{options!r}: options are g (all, the default), i (any case)"
        raise Problem(message, given[3].at)
    whole = f"(?i){pattern}" if "i" in options else pattern
    return given.gives(given[0].value.str.replace_all(whole, new), TEXT)


def _contains(given: Arguments) -> Typed:
    return given.gives(given[0].value.str.contains(given[1].value, literal=True), TRUTH)


def _hex(given: Arguments) -> Typed:
    return given.gives(given[0].value.cast(pl.Binary).bin.encode("hex").str.to_uppercase(), TEXT)


def _translate(given: Arguments) -> Typed:
    old, new = str(given[1].constant), str(given[2].constant)
    pairs = {o: new[n : n + 1] for n, o in reversed(list(enumerate(old)))}
    value = given[0].value
    if pairs:
        value = value.str.replace_many(list(pairs), list(pairs.values()))
    return given.gives(value, TEXT)


FUNCTIONS = (
    Function(GROUP, "||", "any any", "Both texts, one behind the other; null if one is null. Other values are cast to text.", _joined, shown="a || b"),
    Function(GROUP, "concat", "any ..", "All texts, one behind the other; nulls do not count.", _concat),
    Function(GROUP, "concat_ws", "text any ..", "As concat, with the first between them.", _concat_ws),
    Function(GROUP, "like", "text text text!?", "Whether the whole text is like the pattern: `%` any characters, `_` one. No escape character unless ESCAPE gives one.", _like(fold=False), shown="a like 'pattern' [escape 'x']"),
    Function(GROUP, "ilike", "text text text!?", "As like, in any case.", _like(fold=True), shown="a ilike 'pattern' [escape 'x']"),
    simple(GROUP, "lower", "text", TEXT, "Lower case.", lambda s: s.str.to_lowercase(), also=["lcase"]),
    simple(GROUP, "upper", "text", TEXT, "Upper case.", lambda s: s.str.to_uppercase(), also=["ucase"]),
    simple(GROUP, "length", "text", INTEGER, "Number of characters.", lambda s: s.str.len_chars().cast(INTEGER), within=SIZE, also=["char_length", "character_length", "len"]),
    simple(GROUP, "octet_length", "text", INTEGER, "Number of bytes in UTF-8.", lambda s: s.str.len_bytes().cast(INTEGER), within=SIZE, also=["strlen"]),
    simple(GROUP, "reverse", "text", TEXT, "The characters from the last to the first.", lambda s: s.str.reverse(), differs="Combining characters stay with their letter."),
    Function(GROUP, "substring", "text integer integer?", "Characters from a place on, at most so many; a negative place counts from the end. SUBSTRING(a FROM b FOR c) is the same. A negative length is an error.", _substring, also=("substr",), differs="A negative length takes characters to the left."),
    Function(GROUP, "left", "text integer", "The first n characters; a negative n: all but the last -n.", _left),
    Function(GROUP, "right", "text integer", "The last n characters; a negative n: all but the first -n.", _right),
    Function(GROUP, "position", "text text", "Place of the first b in a, 0 if there is none. SQL's form is POSITION(b IN a).", _position, also=("instr", "strpos")),
    Function(GROUP, "lpad", "text integer text?", "Filled on the left (with blanks) to n characters, or cut to them.", _pad(left=True)),
    Function(GROUP, "rpad", "text integer text?", "Filled on the right (with blanks) to n characters, or cut to them.", _pad(left=False)),
    Function(GROUP, "repeat", "text integer", "The text n times; more than 10 million characters are an error.", _repeat),
    Function(GROUP, "replace", "text text text", "Every b in a is c; an empty b changes nothing.", _replace),
    Function(GROUP, "translate", "text text! text!", "Each character of b becomes the one of c at the same place, or goes.", _translate),
    Function(GROUP, "split_part", "text text integer", "Part n of a between the separators b, from 1; negative from the end; empty text if there is none. Part 0 is an error.", _split_part, differs="Part 0 is part 1; an empty separator divides the characters."),
    Function(GROUP, "trim", "text text? any?", "Without blanks (or any characters of b) at both ends. TRIM(LEADING b FROM a) is the same.", _trim("both"), also=("btrim",)),
    Function(GROUP, "ltrim", "text text?", "Without them at the start.", _trim("leading")),
    Function(GROUP, "rtrim", "text text?", "Without them at the end.", _trim("trailing")),
    simple(GROUP, "starts_with", "text text", TRUTH, "Whether a begins with b.", lambda s, p: s.str.starts_with(p), also=["startswith", "prefix"]),
    simple(GROUP, "ends_with", "text text", TRUTH, "Whether a ends with b.", lambda s, p: s.str.ends_with(p), also=["endswith", "suffix"]),
    Function(GROUP, "contains", "text text", "Whether b is in a.", _contains),
    Function(GROUP, "regexp_like", "text text!", "Whether the pattern (of RE2 and Rust: no look-around) is somewhere in the text.", _regexp_like, also=("regexp_matches", "regexp")),
    Function(GROUP, "regexp_extract", "text text! integer!?", "What the pattern finds first, or its group n; null if nothing is found.", _regexp_extract, differs="Nothing found is empty text."),
    Function(GROUP, "regexp_replace", "text text! text! text!?", "Everything that the pattern finds becomes c, where \\1 is the first group. Options: `i` for any case.", _regexp_replace, differs="Without the option `g` only the first is replaced."),
    Function(GROUP, "hex", "text", "The bytes of the text, as hexadecimal digits.", _hex),
)  # fmt: skip
