//! Records to columns.

use super::number::load;
use super::skip::{quote, skip, value_of_key};
use super::text::{blank, string_end};
use super::value::{find, read};
use super::{Field, PAD, Res, Unsure, Value};
use crate::column::{Column, MAX_DATA};

/// What the key at this place was in the records before: mostly it still is.
/// Keys of up to 16 bytes, quotes included, are compared as one word.
#[derive(Debug, Clone)]
struct Memo {
    word: u128,
    mask: u128,
    field: Option<usize>,
    /// With both quotes.
    key: Vec<u8>,
}

impl Memo {
    fn new(key: &[u8], field: Option<usize>) -> Self {
        let short = key.len().min(16);
        let mask = if short == 16 { u128::MAX } else { (1u128 << (8 * short)) - 1 };
        let mut word = [0; 16];
        word[..short].copy_from_slice(&key[..short]);
        Memo { word: u128::from_le_bytes(word), mask, field, key: key.to_vec() }
    }

    #[inline]
    fn is_at(&self, text: &[u8], at: usize) -> bool {
        if load(text, at) & self.mask != self.word {
            return false;
        }
        let n = self.key.len();
        n <= 16 || text.get(at..at + n) == Some(&self.key[..])
    }
}

/// Places in a record, and lengths of keys, that are remembered.
const PLACES: usize = 1024;
const LONG_KEY: usize = 256;

pub struct Decoder {
    fields: Vec<Field>,
    /// Of the record at hand; None: its key was not there.
    values: Vec<Option<Value>>,
    memo: Vec<Memo>,
    scratch: Vec<u8>,
    padded: Vec<u8>,
    columns: Vec<Column>,
    rows: usize,
    /// Bytes of the records since `begin`: no column holds more.
    bytes: usize,
}

impl Decoder {
    pub fn new(fields: Vec<Field>) -> Self {
        Decoder {
            values: vec![None; fields.len()],
            fields,
            memo: Vec::new(),
            scratch: Vec::new(),
            padded: Vec::new(),
            columns: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Fresh columns, with room for some rows.
    pub fn begin(&mut self, capacity: usize) {
        self.columns = self.fields.iter().map(|f| Column::of(f, capacity)).collect();
        self.rows = 0;
        self.bytes = 0;
    }

    /// The columns since `begin`, and their rows.
    pub fn finish(&mut self) -> (usize, Vec<Column>) {
        (self.rows, std::mem::take(&mut self.columns))
    }

    /// Append the record as a row; on `Err` nothing was appended.
    pub fn push(&mut self, record: &[u8]) -> Res<()> {
        if self.bytes + record.len() > MAX_DATA - PAD {
            return Err(Unsure);
        }
        let mut padded = std::mem::take(&mut self.padded);
        padded.clear();
        padded.extend_from_slice(record);
        padded.extend_from_slice(&[0; PAD]);
        let good = self.read(&padded);
        if good.is_ok() {
            self.bytes += record.len();
            self.append(&padded);
        }
        self.padded = padded;
        good
    }

    fn read(&mut self, text: &[u8]) -> Res<()> {
        self.scratch.clear();
        self.values.fill(None);
        let end = text.len() - PAD;
        let mut at = blank(text, 0);
        if text[at] != b'{' {
            return Err(Unsure);
        }
        at = blank(text, at + 1);
        at = if text[at] == b'}' { at + 1 } else { self.pairs(text, at)? };
        let complete = blank(text, at) == end;
        let mut both = self.values.iter().zip(&self.fields);
        if complete && both.all(|(value, field)| value.is_some() || !field.required) {
            Ok(())
        } else {
            Err(Unsure)
        }
    }

    /// Behind the brace that closes the record.
    #[inline]
    fn pairs(&mut self, text: &[u8], mut at: usize) -> Res<usize> {
        let mut place = 0;
        loop {
            let (field, value) = self.key(text, at, place)?;
            place += 1;
            at = if let Some(field) = field {
                let (value, next) = read(&self.fields[field], text, value, &mut self.scratch, 1)?;
                self.values[field] = Some(value);
                next
            } else {
                skip(text, value, 1)?
            };
            at = blank(text, at);
            match text[at] {
                b',' => at = blank(text, at + 1),
                b'}' => return Ok(at + 1),
                _ => return Err(Unsure),
            }
        }
    }

    /// The field that the key at `at` names, and where its value begins.
    #[inline]
    fn key(&mut self, text: &[u8], at: usize, place: usize) -> Res<(Option<usize>, usize)> {
        if let Some(memo) = self.memo.get(place)
            && memo.is_at(text, at)
        {
            let close = at + memo.key.len() - 1;
            return Ok((memo.field, value_of_key(text, close)?));
        }
        self.new_key(text, at, place)
    }

    #[cold]
    #[inline(never)]
    fn new_key(&mut self, text: &[u8], at: usize, place: usize) -> Res<(Option<usize>, usize)> {
        let start = quote(text, at)?;
        let (close, plain) = string_end(text, start)?;
        let field = find(&self.fields, &text[start..close], plain)?;
        if place < PLACES && close - at < LONG_KEY {
            let memo = Memo::new(&text[at..=close], field);
            if place < self.memo.len() {
                self.memo[place] = memo;
            } else if place == self.memo.len() {
                self.memo.push(memo);
            }
        }
        Ok((field, value_of_key(text, close)?))
    }

    fn append(&mut self, text: &[u8]) {
        for (value, column) in self.values.iter().zip(&mut self.columns) {
            column.push(value.as_ref().unwrap_or(&Value::Null), text, &self.scratch);
        }
        self.rows += 1;
    }
}
