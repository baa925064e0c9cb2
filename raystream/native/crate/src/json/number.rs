//! Numbers.

use super::{Res, Unsure};

/// The 16 bytes at `at`; the padding makes them exist.
#[inline]
pub fn load(text: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(*text[at..].first_chunk().expect("padding"))
}

/// How many of these 16 bytes are digits, from the first on.
#[inline]
fn digit_run(word: u128) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: SSE2 is part of x86-64; the block is 16 bytes.
        let mask = unsafe {
            let block = _mm_set_epi64x((word >> 64) as i64, word as i64);
            let less = _mm_sub_epi8(block, _mm_set1_epi8(b'0' as i8));
            let digit = _mm_cmpeq_epi8(_mm_min_epu8(less, _mm_set1_epi8(9)), less);
            _mm_movemask_epi8(digit) as u32
        };
        mask.trailing_ones() as usize
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        word.to_le_bytes().iter().take_while(|b| b.is_ascii_digit()).count()
    }
}

/// Eight digits as a number.
#[inline]
fn eight(word: u64) -> u64 {
    let word = word & 0x0f0f_0f0f_0f0f_0f0f;
    let word = (word.wrapping_mul(10).wrapping_add(word >> 8)) & 0x00ff_00ff_00ff_00ff;
    let word = (word.wrapping_mul(100).wrapping_add(word >> 16)) & 0x0000_ffff_0000_ffff;
    (word.wrapping_mul(10_000).wrapping_add(word >> 32)) & 0xffff_ffff
}

/// A whole number of 64 bits, and what is behind it; fractions, exponents and larger ones are
/// handed back.
#[inline]
pub fn int(text: &[u8], at: usize) -> Res<(i64, usize)> {
    let negative = text[at] == b'-';
    let first = at + usize::from(negative);
    let run = load(text, first);
    let count = digit_run(run);
    if count == 0 || (count > 1 && run as u8 == b'0') {
        return Err(Unsure);
    }
    let aligned = run << (8 * (16 - count));
    let mut value = (eight(aligned as u64) * 100_000_000 + eight((aligned >> 64) as u64)) as i64;
    let mut next = first + count;
    if count == 16 {
        next = digits(text, next - 1)?;
        let word = std::str::from_utf8(&text[at..next]).map_err(|_| Unsure)?;
        value = word.parse().map_err(|_| Unsure)?;
    }
    if matches!(text[next], b'.' | b'e' | b'E' | b'0'..=b'9') {
        return Err(Unsure);
    }
    Ok((if negative && count < 16 { -value } else { value }, next))
}

/// Whole numbers up to here are floats, of 64 and of 32 bits; whether a larger one is, Python says.
const WHOLE: [f64; 2] = [9_007_199_254_740_992.0, 16_777_216.0];

/// A number whose grammar was checked. `-0` is 0.0, for msgspec reads it as a whole number first.
pub fn float(word: &[u8], narrow: bool) -> Res<f64> {
    if word == b"-0" {
        return Ok(0.0);
    }
    let text = std::str::from_utf8(word).map_err(|_| Unsure)?;
    let value: f64 = text.parse().map_err(|_| Unsure)?;
    let whole = !word.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
    let finite = value.is_finite() && !(narrow && (value as f32).is_infinite());
    if !finite || (whole && value.abs() >= WHOLE[usize::from(narrow)]) {
        return Err(Unsure);
    }
    Ok(value)
}

/// Behind the number at `at`.
#[inline]
pub fn number_end(text: &[u8], at: usize) -> Res<usize> {
    let first = at + usize::from(text[at] == b'-');
    let mut next = digits(text, first)?;
    if next - first > 1 && text[first] == b'0' {
        return Err(Unsure);
    }
    if text[next] == b'.' {
        next = digits(text, next + 1)?;
    }
    if matches!(text[next], b'e' | b'E') {
        next += 1;
        if matches!(text[next], b'+' | b'-') {
            next += 1;
        }
        next = digits(text, next)?;
    }
    Ok(next)
}

#[inline]
fn digits(text: &[u8], at: usize) -> Res<usize> {
    let mut next = at;
    loop {
        let count = digit_run(load(text, next));
        next += count;
        if count < 16 {
            break;
        }
    }
    if next == at { Err(Unsure) } else { Ok(next) }
}
