//! Blanks, words and strings.

use super::{Res, Unsure};

#[inline]
pub fn blank(text: &[u8], mut at: usize) -> usize {
    while matches!(text[at], b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

#[inline]
pub fn literal(text: &[u8], at: usize, word: &[u8]) -> Res<usize> {
    let end = at + word.len();
    if text[at..end] == *word { Ok(end) } else { Err(Unsure) }
}

/// Index of the closing quote, and whether the text has no escape. Control characters and bytes
/// that are not UTF-8 are handed back.
#[inline]
pub fn string_end(text: &[u8], start: usize) -> Res<(usize, bool)> {
    let mut at = start;
    let mut plain = true;
    let mut high = 0u8;
    loop {
        let (found, bits) = special(text, at);
        high |= bits;
        at = found;
        match text[at] {
            b'"' => break,
            b'\\' => {
                plain = false;
                at = escape_end(text, at)?;
            }
            _ => return Err(Unsure),
        }
    }
    if high & 0x80 != 0 && std::str::from_utf8(&text[start..at]).is_err() {
        return Err(Unsure);
    }
    Ok((at, plain))
}

/// First quote, backslash or control character from `at` on, and the OR of the bytes before it
/// (only its top bit counts).
#[cfg(target_arch = "x86_64")]
#[inline]
fn special(text: &[u8], mut at: usize) -> (usize, u8) {
    use std::arch::x86_64::*;
    let mut high = 0u8;
    while at + 16 <= text.len() {
        // SAFETY: 16 bytes from `at` lie inside `text`; SSE2 is part of x86-64.
        let (stop, tops) = unsafe {
            let block = _mm_loadu_si128(text.as_ptr().add(at).cast());
            let quote = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'"' as i8));
            let slash = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8));
            // unsigned x <= 0x1f
            let control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
            let stop = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control)) as u32;
            (stop, _mm_movemask_epi8(block) as u32)
        };
        if stop != 0 {
            let n = stop.trailing_zeros();
            let before = (1u32 << n) - 1;
            return (at + n as usize, high | if tops & before != 0 { 0x80 } else { 0 });
        }
        high |= if tops != 0 { 0x80 } else { 0 };
        at += 16;
    }
    tail(text, at, high)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn special(text: &[u8], at: usize) -> (usize, u8) {
    tail(text, at, 0)
}

fn tail(text: &[u8], mut at: usize, mut high: u8) -> (usize, u8) {
    loop {
        match text[at] {
            b'"' | b'\\' | 0..=0x1f => return (at, high),
            byte => high |= byte & 0x80,
        }
        at += 1;
    }
}

/// Behind the escape at `at`; surrogates must come in pairs.
fn escape_end(text: &[u8], at: usize) -> Res<usize> {
    match text[at + 1] {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => {
            let (_, next) = code_point(text, at)?;
            Ok(next)
        }
        _ => Err(Unsure),
    }
}

fn hex4(text: &[u8], at: usize) -> Res<u32> {
    let digits = text.get(at..at + 4).ok_or(Unsure)?;
    digits.iter().try_fold(0, |sum, digit| {
        let value = (*digit as char).to_digit(16).ok_or(Unsure)?;
        Ok(sum * 16 + value)
    })
}

/// `\uXXXX` at `at`, perhaps with a second half.
fn code_point(text: &[u8], at: usize) -> Res<(char, usize)> {
    let one = hex4(text, at + 2)?;
    if !(0xd800..0xe000).contains(&one) {
        return Ok((char::from_u32(one).ok_or(Unsure)?, at + 6));
    }
    if one >= 0xdc00 || text.get(at + 6..at + 8) != Some(b"\\u") {
        return Err(Unsure);
    }
    let two = hex4(text, at + 8)?;
    if !(0xdc00..0xe000).contains(&two) {
        return Err(Unsure);
    }
    let code = 0x10000 + ((one - 0xd800) << 10) + (two - 0xdc00);
    Ok((char::from_u32(code).ok_or(Unsure)?, at + 12))
}

/// Append the text of a string whose escapes were checked.
pub fn unescape(inner: &[u8], out: &mut Vec<u8>) -> Res<()> {
    let mut at = 0;
    while at < inner.len() {
        let rest = &inner[at..];
        let plain = rest.iter().position(|b| *b == b'\\').unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        let stop = at + plain;
        if stop == inner.len() {
            break;
        }
        at = stop + 2;
        match inner.get(stop + 1).ok_or(Unsure)? {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(10),
            b'r' => out.push(13),
            b't' => out.push(9),
            b'u' => {
                let (code, next) = code_point(inner, stop)?;
                out.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
                at = next;
            }
            other => out.push(*other),
        }
    }
    Ok(())
}
