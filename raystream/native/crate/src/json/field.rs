//! Fields that are wanted, as Python describes them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[derive(Debug, Clone)]
pub enum Kind {
    /// Smallest and largest value that the column holds.
    Int(i64, i64),
    /// Whether the column holds 32 bits.
    Float(bool),
    Bool,
    Text,
    List(Box<Field>),
    Struct(Vec<Field>),
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    /// Null or absent is an error.
    pub required: bool,
}

impl Field {
    /// Of (name, kind, required, fields within).
    pub fn of(spec: &Bound<'_, PyAny>) -> PyResult<Field> {
        let (name, kind, required, within): (String, String, bool, Vec<Bound<'_, PyAny>>) =
            spec.extract()?;
        let mut within = within.iter().map(Field::of).collect::<PyResult<Vec<_>>>()?;
        let kind = match kind.as_str() {
            "list" if within.len() == 1 => Kind::List(Box::new(within.remove(0))),
            "struct" if !within.is_empty() => Kind::Struct(within),
            scalar => Kind::scalar(scalar)?,
        };
        Ok(Field { name, kind, required })
    }
}

impl Kind {
    fn scalar(word: &str) -> PyResult<Kind> {
        Ok(match word {
            "i8" => Kind::Int(i8::MIN.into(), i8::MAX.into()),
            "i16" => Kind::Int(i16::MIN.into(), i16::MAX.into()),
            "i32" => Kind::Int(i32::MIN.into(), i32::MAX.into()),
            "i64" => Kind::Int(i64::MIN, i64::MAX),
            "u8" => Kind::Int(0, u8::MAX.into()),
            "u16" => Kind::Int(0, u16::MAX.into()),
            "u32" => Kind::Int(0, u32::MAX.into()),
            "u64" => Kind::Int(0, i64::MAX),
            "f32" => Kind::Float(true),
            "f64" => Kind::Float(false),
            "bool" => Kind::Bool,
            "text" => Kind::Text,
            other => return Err(PyValueError::new_err(format!("no native {other}"))),
        })
    }
}
