//! Values that nobody asked for: read as strictly, not kept.

use super::number::number_end;
use super::text::{blank, literal, string_end};
use super::{MAX_DEPTH, Res, Unsure};

/// Behind the value at `at`.
#[inline]
pub fn skip(text: &[u8], at: usize, depth: u32) -> Res<usize> {
    match text[at] {
        b'"' => Ok(string_end(text, at + 1)?.0 + 1),
        b'-' | b'0'..=b'9' => number_end(text, at),
        b't' => literal(text, at, b"true"),
        b'f' => literal(text, at, b"false"),
        b'n' => literal(text, at, b"null"),
        b'{' | b'[' => skip_nested(text, at, depth),
        _ => Err(Unsure),
    }
}

#[inline(never)]
fn skip_nested(text: &[u8], at: usize, depth: u32) -> Res<usize> {
    if depth > MAX_DEPTH {
        return Err(Unsure);
    }
    let object = text[at] == b'{';
    let close = if object { b'}' } else { b']' };
    let mut at = blank(text, at + 1);
    if text[at] == close {
        return Ok(at + 1);
    }
    loop {
        if object {
            at = value_of_key(text, string_end(text, quote(text, at)?)?.0)?;
        }
        at = blank(text, skip(text, at, depth + 1)?);
        match text[at] {
            b',' => at = blank(text, at + 1),
            byte if byte == close => return Ok(at + 1),
            _ => return Err(Unsure),
        }
    }
}

/// Behind the opening quote at `at`.
pub fn quote(text: &[u8], at: usize) -> Res<usize> {
    if text[at] == b'"' { Ok(at + 1) } else { Err(Unsure) }
}

/// Where the value of a key begins, whose closing quote is at `close`.
pub fn value_of_key(text: &[u8], close: usize) -> Res<usize> {
    let colon = blank(text, close + 1);
    if text[colon] == b':' { Ok(blank(text, colon + 1)) } else { Err(Unsure) }
}
