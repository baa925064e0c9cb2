//! Columns as an object of Python.

use std::sync::Mutex;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::arrow::export;
use crate::column::Column;

/// Columns that can be taken once, by Arrow's PyCapsule interface.
#[pyclass(frozen)]
pub struct Columns {
    content: Mutex<Option<Vec<Column>>>,
    rows: usize,
}

impl Columns {
    pub fn new(rows: usize, columns: Vec<Column>) -> Self {
        Columns { content: Mutex::new(Some(columns)), rows }
    }
}

#[pymethods]
impl Columns {
    fn __len__(&self) -> usize {
        self.rows
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema;
        let mut content = self.content.lock().map_err(|_| wrong("poisoned"))?;
        let columns = content.take();
        let columns = columns.ok_or_else(|| wrong("these columns were taken already"))?;
        let (schema, array) = export(self.rows, columns);
        Ok((
            PyCapsule::new_with_value(py, schema, c"arrow_schema")?,
            PyCapsule::new_with_value(py, array, c"arrow_array")?,
        ))
    }
}

pub fn wrong(text: impl Into<String>) -> PyErr {
    PyRuntimeError::new_err(text.into())
}
