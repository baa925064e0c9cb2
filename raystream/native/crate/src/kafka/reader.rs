//! The reader as an object of Python.

use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::exceptions::PyUnicodeDecodeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::api::{Api, text};
use super::client::{Client, Event, Fetched};
use super::handle::Owner;
use super::records::Records;
use super::surroundings::Part;
use crate::column::Column;
use crate::json::Decoder;
use crate::python_columns::{Columns, wrong};
use crate::python_decoder::fields_of;

/// Major version of librdkafka whose queues this code knows.
const KNOWN: i32 = 2;

type Bytes<'py> = Option<Bound<'py, PyBytes>>;
type Record<'py> = (String, i32, i64, Bytes<'py>, Bytes<'py>, (i32, i64));
type Run = (usize, usize, usize, i64, i32, bool);

/// What one poll gave. It holds its records as long as it lives, or until the reader is closed.
#[pyclass(frozen)]
pub struct Polled {
    /// Number of records: rows plus those handed back.
    #[pyo3(get)]
    records: usize,
    /// Size of their payloads.
    #[pyo3(get)]
    size: usize,
    /// (index of the partition, first, last, next offset, leader epoch or -1, ran over the end)
    #[pyo3(get)]
    runs: Vec<Run>,
    /// Indexes of records that are handed back.
    #[pyo3(get)]
    back: Vec<usize>,
    /// (topic, partition, code, text, offset)
    #[pyo3(get)]
    events: Vec<Event>,
    /// Decoded fields, a row for each record that was not handed back; None: not decoded.
    #[pyo3(get)]
    columns: Option<Py<Columns>>,
    /// Columns of the record around the payload, a row for each record; None: none were asked for.
    #[pyo3(get)]
    around: Option<Py<Columns>>,
    held: Arc<Records>,
    /// Keeps the client alive behind the records.
    _consumer: Py<PyAny>,
}

#[pymethods]
impl Polled {
    /// Record `index`: topic, partition, offset, key, value, (type, time).
    fn record<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Record<'py>> {
        let found = self.held.with(index, |message, api| {
            (
                String::from_utf8_lossy(message.topic(api)).into_owned(),
                message.partition,
                message.offset,
                message.key().map(|key| PyBytes::new(py, key)),
                message.payload().map(|payload| PyBytes::new(py, payload)),
                message.timestamp(api),
            )
        });
        found.ok_or_else(|| wrong("there is no such record, or the reader is closed"))
    }

    /// Payloads of these records, or of all.
    #[pyo3(signature = (indexes=None))]
    fn values<'py>(
        &self,
        py: Python<'py>,
        indexes: Option<Vec<usize>>,
    ) -> PyResult<Vec<Bytes<'py>>> {
        let indexes = indexes.unwrap_or_else(|| (0..self.held.len()).collect());
        let value = |index| {
            let made = self.held.with(index, |message, _| {
                message.payload().map(|payload| PyBytes::new(py, payload))
            });
            made.ok_or_else(|| wrong("there is no such record, or the reader is closed"))
        };
        indexes.into_iter().map(value).collect()
    }

    /// Headers of record `index`.
    fn headers<'py>(
        &self,
        py: Python<'py>,
        index: usize,
    ) -> PyResult<Vec<(Bound<'py, PyString>, Bytes<'py>)>> {
        let found = self.held.with(index, |message, api| {
            let mut found = Vec::new();
            let mut headers = std::ptr::null_mut();
            // SAFETY: headers belong to the live message.
            if unsafe { (api.message_headers)(message, &mut headers) } != 0 {
                return found;
            }
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: as above; the pointers are set where it answers 0.
            while unsafe {
                (api.header_get_all)(headers, found.len(), &mut name, &mut value, &mut size)
            } == 0
            {
                // SAFETY: as above.
                let (name, value) = unsafe {
                    let bytes: Option<&[u8]> =
                        (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast(), size));
                    (text(name), bytes)
                };
                found.push((name.to_vec(), value.map(|bytes| PyBytes::new(py, bytes))));
            }
            found
        });
        let found =
            found.ok_or_else(|| wrong("there is no such record, or the reader is closed"))?;
        found
            .into_iter()
            .map(|(name, value)| {
                let name = std::str::from_utf8(&name)
                    .map_err(|e| PyUnicodeDecodeError::new_err_from_utf8(py, &name, e))?;
                Ok((PyString::new(py, name), value))
            })
            .collect()
    }
}

/// Takes records of a confluent_kafka.Consumer's partitions, and decodes them.
#[pyclass(frozen)]
pub struct Reader {
    inner: Mutex<Inner>,
    /// Keeps the client alive behind the queues.
    consumer: Py<PyAny>,
}

struct Inner {
    client: Client,
    decoder: Decoder,
    parts: Vec<Part>,
}

#[pymethods]
impl Reader {
    /// `module`: path of confluent_kafka's extension module. `fields`: what is decoded. `around`:
    /// time, key, partition, offset, topic, as columns.
    #[new]
    fn new(
        consumer: Bound<'_, PyAny>,
        module: &str,
        client_id: &str,
        fields: Vec<Bound<'_, PyAny>>,
        around: Vec<String>,
    ) -> PyResult<Self> {
        let api = Api::of(module).map_err(wrong)?;
        // SAFETY: takes no arguments.
        let version = unsafe { (api.version)() };
        if version >> 24 != KNOWN {
            return Err(wrong(format!("librdkafka {} is not known", version >> 24)));
        }
        let head = head(&consumer)?;
        let name = format!("{client_id}#consumer-");
        let object = consumer.as_ptr() as usize;
        let owner = Owner::of(&api, object, head, &name).map_err(wrong)?;
        let parts = around.iter().map(|name| Part::of(name));
        let inner = Inner {
            parts: parts.collect::<Result<_, _>>().map_err(wrong)?,
            decoder: Decoder::new(fields_of(&fields)?),
            client: Client::new(api, owner),
        };
        Ok(Reader { inner: Mutex::new(inner), consumer: consumer.unbind() })
    }

    /// Before the partition is assigned, each time: its records come here, up to `end`.
    #[pyo3(signature = (topic, partition, end=None))]
    fn add(&self, topic: &str, partition: i32, end: Option<i64>) -> PyResult<usize> {
        let mut inner = self.live()?;
        let end = end.unwrap_or(i64::MAX);
        inner.client.add(topic, partition, end).map_err(wrong)
    }

    /// Up to `most` records, if any are there; `decode`: to columns.
    #[pyo3(signature = (most, *, decode=true))]
    fn poll(&self, py: Python<'_>, most: usize, decode: bool) -> PyResult<Option<Polled>> {
        let (fetched, columns) = py.detach(|| self.fetch(most, decode))?;
        if fetched.runs.is_empty() && fetched.events.is_empty() {
            return Ok(None);
        }
        let columns = columns.map(|(rows, all)| Py::new(py, Columns::new(rows, all)));
        let around = (!fetched.around.is_empty())
            .then(|| Py::new(py, Columns::new(fetched.kept, fetched.around)));
        Ok(Some(Polled {
            records: fetched.kept,
            size: fetched.bytes,
            runs: fetched
                .runs
                .iter()
                .map(|r| (r.partition, r.first, r.last, r.offset, r.epoch, r.overran))
                .collect(),
            back: fetched.back,
            events: fetched.events,
            columns: columns.transpose()?,
            around: around.transpose()?,
            held: fetched.records,
            _consumer: self.consumer.clone_ref(py),
        }))
    }

    /// Give everything back. Must come before the consumer's own close().
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            if let Ok(mut inner) = self.inner.lock() {
                inner.client.close();
            }
        });
    }
}

type Decoded = Option<(usize, Vec<Column>)>;

impl Reader {
    fn live(&self) -> PyResult<MutexGuard<'_, Inner>> {
        let inner = self.inner.lock().map_err(|_| wrong("poisoned"))?;
        if inner.client.live() { Ok(inner) } else { Err(wrong("the reader is closed")) }
    }

    fn fetch(&self, most: usize, decode: bool) -> PyResult<(Fetched, Decoded)> {
        let mut inner = self.live()?;
        let Inner { client, decoder, parts } = &mut *inner;
        let fetched = client.poll(most, decode.then_some(&mut *decoder), parts).map_err(wrong)?;
        Ok((fetched, decode.then(|| decoder.finish())))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Ok(mut inner) = self.inner.lock() {
            inner.client.close();
        }
    }
}

/// Length of PyObject_HEAD in this interpreter: object.__basicsize__.
fn head(object: &Bound<'_, PyAny>) -> PyResult<usize> {
    let base = object.py().get_type::<PyAny>();
    base.getattr("__basicsize__")?.extract()
}

/// Version of the librdkafka that confluent_kafka has loaded.
#[pyfunction]
pub fn librdkafka_version(module: &str) -> PyResult<i32> {
    let api = Api::of(module).map_err(wrong)?;
    // SAFETY: takes no arguments.
    Ok(unsafe { (api.version)() })
}
