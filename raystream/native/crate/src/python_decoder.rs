//! The decoder as an object of Python, for payloads that Python holds.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::json::{Decoder, Field};
use crate::python_columns::Columns;

/// JSON payloads -> columns; what it is not sure of is handed back by index.
#[pyclass]
pub struct JsonDecoder {
    decoder: Decoder,
}

#[pymethods]
impl JsonDecoder {
    #[new]
    fn new(fields: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(JsonDecoder { decoder: Decoder::new(fields_of(&fields)?) })
    }

    fn decode(&mut self, payloads: &Bound<'_, PyList>) -> (Columns, Vec<usize>) {
        let mut back = Vec::new();
        self.decoder.begin(payloads.len());
        for (index, payload) in payloads.iter().enumerate() {
            let bytes = payload.cast::<PyBytes>();
            if !bytes.is_ok_and(|bytes| self.decoder.push(bytes.as_bytes()).is_ok()) {
                back.push(index);
            }
        }
        let (rows, columns) = self.decoder.finish();
        (Columns::new(rows, columns), back)
    }
}

pub fn fields_of(specs: &[Bound<'_, PyAny>]) -> PyResult<Vec<Field>> {
    specs.iter().map(Field::of).collect()
}
