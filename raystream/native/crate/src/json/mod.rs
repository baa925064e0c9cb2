//! A strict reader of JSON objects with a fixed set of fields.
//!
//! It takes only what it is sure of (RFC 8259, and msgspec's reading of it); every other record is
//! handed back (`Err(Unsure)`), and the Python path decodes it, or refuses it with a reason.

mod decoder;
mod field;
mod number;
mod skip;
mod text;
mod value;

pub use decoder::Decoder;
pub use field::{Field, Kind};
pub use value::Value;

/// Not for this reader to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsure;

pub type Res<T> = Result<T, Unsure>;

/// Zeros behind each record: every search ends there, and 16 bytes may be read from any place.
const PAD: usize = 32;

/// Deeper nesting is handed back: Python's own limit depends on its stack.
const MAX_DEPTH: u32 = 64;
