//! Values of wanted fields, before their record is known to be good.

use super::number::{float, int, number_end};
use super::skip::{quote, skip, value_of_key};
use super::text::{blank, literal, string_end, unescape};
use super::{Field, Kind, MAX_DEPTH, Res, Unsure};

/// Text is a range of the record, or of the scratch buffer if it had escapes.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(u32, u32),
    Unescaped(u32, u32),
    List(Vec<Value>),
    Struct(Vec<Value>),
}

/// The value of `field` at `at`, and what is behind it.
#[inline]
pub fn read(
    field: &Field,
    text: &[u8],
    at: usize,
    scratch: &mut Vec<u8>,
    depth: u32,
) -> Res<(Value, usize)> {
    let first = text[at];
    if first == b'n' {
        if field.required {
            return Err(Unsure);
        }
        return Ok((Value::Null, literal(text, at, b"null")?));
    }
    match &field.kind {
        Kind::Int(low, high) => {
            let (value, next) = int(text, at)?;
            if value < *low || value > *high {
                return Err(Unsure);
            }
            Ok((Value::Int(value), next))
        }
        Kind::Text => string(text, at, scratch),
        Kind::Float(narrow) => {
            let next = number_end(text, at)?;
            Ok((Value::Float(float(&text[at..next], *narrow)?), next))
        }
        Kind::Bool => match first {
            b't' => Ok((Value::Bool(true), literal(text, at, b"true")?)),
            b'f' => Ok((Value::Bool(false), literal(text, at, b"false")?)),
            _ => Err(Unsure),
        },
        Kind::List(item) => list(item, text, at, scratch, depth),
        Kind::Struct(fields) => object(fields, text, at, scratch, depth),
    }
}

#[inline]
fn string(text: &[u8], at: usize, scratch: &mut Vec<u8>) -> Res<(Value, usize)> {
    let start = quote(text, at)?;
    let (close, plain) = string_end(text, start)?;
    if plain {
        return Ok((Value::Text(start as u32, close as u32), close + 1));
    }
    let begin = scratch.len() as u32;
    unescape(&text[start..close], scratch)?;
    Ok((Value::Unescaped(begin, scratch.len() as u32), close + 1))
}

fn list(
    item: &Field,
    text: &[u8],
    at: usize,
    scratch: &mut Vec<u8>,
    depth: u32,
) -> Res<(Value, usize)> {
    if text[at] != b'[' || depth > MAX_DEPTH {
        return Err(Unsure);
    }
    let mut items = Vec::new();
    let mut at = blank(text, at + 1);
    if text[at] == b']' {
        return Ok((Value::List(items), at + 1));
    }
    loop {
        let (value, next) = read(item, text, at, scratch, depth + 1)?;
        items.push(value);
        at = blank(text, next);
        match text[at] {
            b',' => at = blank(text, at + 1),
            b']' => return Ok((Value::List(items), at + 1)),
            _ => return Err(Unsure),
        }
    }
}

fn object(
    fields: &[Field],
    text: &[u8],
    at: usize,
    scratch: &mut Vec<u8>,
    depth: u32,
) -> Res<(Value, usize)> {
    if text[at] != b'{' || depth > MAX_DEPTH {
        return Err(Unsure);
    }
    let mut values = vec![Value::Null; fields.len()];
    let mut at = blank(text, at + 1);
    if text[at] == b'}' {
        return Ok((Value::Struct(values), at + 1));
    }
    loop {
        let start = quote(text, at)?;
        let (close, plain) = string_end(text, start)?;
        let found = find(fields, &text[start..close], plain)?;
        at = value_of_key(text, close)?;
        at = if let Some(place) = found {
            let (value, next) = read(&fields[place], text, at, scratch, depth + 1)?;
            values[place] = value;
            next
        } else {
            skip(text, at, depth + 1)?
        };
        at = blank(text, at);
        match text[at] {
            b',' => at = blank(text, at + 1),
            b'}' => return Ok((Value::Struct(values), at + 1)),
            _ => return Err(Unsure),
        }
    }
}

/// The field that a key names, whose escapes were checked.
pub fn find(fields: &[Field], key: &[u8], plain: bool) -> Res<Option<usize>> {
    let mut name = Vec::new();
    let key = if plain {
        key
    } else {
        unescape(key, &mut name)?;
        &name
    };
    Ok(fields.iter().position(|f| f.name.as_bytes() == key))
}
