//! The native reader of raystream: Kafka records, or JSON payloads, to columns.
//! `_native.pyi`, beside the package, says what Python sees.

mod arrow;
mod column;
mod json;
mod kafka;
mod python_columns;
mod python_decoder;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<python_columns::Columns>()?;
    module.add_class::<python_decoder::JsonDecoder>()?;
    module.add_class::<kafka::Polled>()?;
    module.add_class::<kafka::Reader>()?;
    module.add_function(wrap_pyfunction!(kafka::librdkafka_version, module)?)
}
