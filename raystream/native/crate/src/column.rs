//! Columns in Arrow's layout, as they grow.

use crate::json::{Field, Kind, Value};

/// The offsets of a view have 32 bits, one of them the sign.
pub const MAX_DATA: usize = i32::MAX as usize;

pub enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<u8>),
    /// Views: 16 bytes each, long ones point into the data. Text, or bytes.
    Views(Vec<u128>, Vec<u8>, bool),
    /// Where each list ends; the first is 0.
    List(Vec<i64>, Box<Column>),
    Struct(Vec<Column>),
}

pub struct Column {
    pub name: String,
    pub values: Values,
    /// Bitmap, made with the first null; rows behind its end are valid.
    pub validity: Option<Vec<u8>>,
    pub nulls: usize,
    pub rows: usize,
}

impl Column {
    pub fn of(field: &Field, capacity: usize) -> Self {
        let values = match &field.kind {
            Kind::Int(..) => Values::Int(Vec::with_capacity(capacity)),
            Kind::Float(_) => Values::Float(Vec::with_capacity(capacity)),
            Kind::Bool => Values::Bool(Vec::with_capacity(capacity / 8 + 1)),
            Kind::Text => Values::Views(Vec::with_capacity(capacity), Vec::new(), true),
            Kind::List(item) => {
                let mut ends = Vec::with_capacity(capacity + 1);
                ends.push(0);
                Values::List(ends, Box::new(Column::of(item, capacity)))
            }
            Kind::Struct(fields) => {
                Values::Struct(fields.iter().map(|f| Column::of(f, capacity)).collect())
            }
        };
        Column::new(&field.name, values)
    }

    pub fn new(name: &str, values: Values) -> Self {
        Column { name: name.to_owned(), values, validity: None, nulls: 0, rows: 0 }
    }

    /// Append a value of this column's kind, or null. 16 bytes behind the text may be read.
    #[inline]
    pub fn push(&mut self, value: &Value, text: &[u8], scratch: &[u8]) {
        match (&mut self.values, value) {
            (Values::Int(all), Value::Int(x)) => all.push(*x),
            (Values::Float(all), Value::Float(x)) => all.push(*x),
            (Values::Bool(all), Value::Bool(x)) => push_bit(all, self.rows, *x),
            (Values::Views(all, data, _), Value::Text(start, end)) => {
                all.push(padded_view(text, *start as usize, *end as usize, data));
            }
            (Values::Views(all, data, _), Value::Unescaped(start, end)) => {
                all.push(view(&scratch[*start as usize..*end as usize], data));
            }
            (Values::List(ends, inner), Value::List(items)) => {
                for item in items {
                    inner.push(item, text, scratch);
                }
                ends.push(inner.rows as i64);
            }
            (Values::Struct(columns), Value::Struct(values)) => {
                for (column, value) in columns.iter_mut().zip(values) {
                    column.push(value, text, scratch);
                }
            }
            _ => return self.push_null(),
        }
        self.rows += 1;
    }

    pub fn push_null(&mut self) {
        match &mut self.values {
            Values::Int(all) => all.push(0),
            Values::Float(all) => all.push(0.0),
            Values::Bool(all) => push_bit(all, self.rows, false),
            Values::Views(all, ..) => all.push(0),
            Values::List(ends, inner) => ends.push(inner.rows as i64),
            Values::Struct(columns) => columns.iter_mut().for_each(Column::push_null),
        }
        let bits = self.validity.get_or_insert_with(Vec::new);
        bits.resize(bits.len().max(self.rows / 8 + 1), 0xff);
        bits[self.rows / 8] &= !(1 << (self.rows % 8));
        self.nulls += 1;
        self.rows += 1;
    }

    pub fn push_int(&mut self, value: Option<i64>) {
        match (&mut self.values, value) {
            (Values::Int(all), Some(value)) => {
                all.push(value);
                self.rows += 1;
            }
            _ => self.push_null(),
        }
    }

    pub fn push_bytes(&mut self, value: Option<&[u8]>) {
        match (&mut self.values, value) {
            (Values::Views(all, data, _), Some(value)) => {
                all.push(view(value, data));
                self.rows += 1;
            }
            _ => self.push_null(),
        }
    }
}

fn push_bit(bits: &mut Vec<u8>, row: usize, value: bool) {
    if row.is_multiple_of(8) {
        bits.push(0);
    }
    bits[row / 8] |= u8::from(value) << (row % 8);
}

/// A view of these bytes; what is longer than 12 goes to `data`.
#[inline]
fn view(bytes: &[u8], data: &mut Vec<u8>) -> u128 {
    let n = bytes.len();
    let mut raw = [0u8; 16];
    raw[..4].copy_from_slice(&(n as u32).to_le_bytes());
    if n <= 12 {
        raw[4..4 + n].copy_from_slice(bytes);
    } else {
        raw[4..8].copy_from_slice(&bytes[..4]);
        assert!(data.len() + n <= MAX_DATA, "2 GiB of text in one column");
        raw[12..16].copy_from_slice(&(data.len() as u32).to_le_bytes());
        data.extend_from_slice(bytes);
    }
    u128::from_le_bytes(raw)
}

/// The same for bytes behind which 16 more may be read.
#[inline]
fn padded_view(text: &[u8], start: usize, end: usize, data: &mut Vec<u8>) -> u128 {
    let n = end - start;
    if n <= 12 {
        let word = u128::from_le_bytes(*text[start..].first_chunk().expect("padding"));
        return ((word & ((1u128 << (8 * n)) - 1)) << 32) | n as u128;
    }
    view(&text[start..end], data)
}
