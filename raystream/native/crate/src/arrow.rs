//! Columns to Arrow's C data interface: two structs, no library.

use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};

use crate::column::{Column, Values};

#[repr(C)]
pub struct ArrowSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut ArrowSchema,
    dictionary: *mut ArrowSchema,
    release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

#[repr(C)]
pub struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

// SAFETY: the memory behind them belongs to the structs and is not shared.
unsafe impl Send for ArrowSchema {}
// SAFETY: as above.
unsafe impl Send for ArrowArray {}

impl Drop for ArrowSchema {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: by the interface, whoever holds a struct with a release calls it once.
            unsafe { release(self) }
        }
    }
}

impl Drop for ArrowArray {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: as above.
            unsafe { release(self) }
        }
    }
}

/// What the pointers of a schema point to.
struct SchemaParts {
    format: CString,
    name: CString,
    children: Vec<*mut ArrowSchema>,
}

/// The same of an array; the other fields only keep memory alive.
struct ArrayParts {
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    _values: Values,
    _validity: Option<Vec<u8>>,
    _lengths: Vec<i64>,
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: `private_data` is the box made in `schema`; children that were moved have no release.
    unsafe {
        let parts = Box::from_raw((*schema).private_data.cast::<SchemaParts>());
        for child in parts.children {
            drop(Box::from_raw(child));
        }
        (*schema).release = None;
    }
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: as above, of `finished`.
    unsafe {
        let parts = Box::from_raw((*array).private_data.cast::<ArrayParts>());
        for child in parts.children {
            drop(Box::from_raw(child));
        }
        (*array).release = None;
    }
}

const NULLABLE: i64 = 2;

fn boxed<T>(all: impl IntoIterator<Item = T>) -> Vec<*mut T> {
    all.into_iter().map(|one| Box::into_raw(Box::new(one))).collect()
}

fn schema(column: &Column) -> ArrowSchema {
    let (format, within): (_, &[Column]) = match &column.values {
        Values::Int(_) => ("l", &[]),
        Values::Float(_) => ("g", &[]),
        Values::Bool(_) => ("b", &[]),
        Values::Views(_, _, true) => ("vu", &[]),
        Values::Views(_, _, false) => ("vz", &[]),
        Values::List(_, inner) => ("+L", std::slice::from_ref(inner)),
        Values::Struct(columns) => ("+s", columns),
    };
    let mut parts = Box::new(SchemaParts {
        format: CString::new(format).unwrap_or_default(),
        name: CString::new(column.name.as_str()).unwrap_or_default(),
        children: boxed(within.iter().map(schema)),
    });
    ArrowSchema {
        format: parts.format.as_ptr(),
        name: parts.name.as_ptr(),
        metadata: null(),
        flags: NULLABLE,
        n_children: parts.children.len() as i64,
        children: parts.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_schema),
        private_data: Box::into_raw(parts).cast(),
    }
}

fn array(mut column: Column) -> ArrowArray {
    let rows = column.rows;
    if let Some(bits) = &mut column.validity {
        bits.resize(rows.div_ceil(8), 0xff);
    }
    let mut lengths = Vec::new();
    let mut children = Vec::new();
    let validity = column.validity.as_ref();
    let mut buffers: Vec<*const c_void> = vec![validity.map_or(null(), |v| v.as_ptr().cast())];
    match &mut column.values {
        Values::Int(all) => buffers.push(all.as_ptr().cast()),
        Values::Float(all) => buffers.push(all.as_ptr().cast()),
        Values::Bool(all) => buffers.push(all.as_ptr().cast()),
        Values::Views(all, data, _) => {
            buffers.push(all.as_ptr().cast());
            buffers.push(data.as_ptr().cast());
            lengths.push(data.len() as i64);
            buffers.push(lengths.as_ptr().cast());
        }
        Values::List(ends, inner) => {
            buffers.push(ends.as_ptr().cast());
            let empty = Box::new(Column::new("", Values::Struct(vec![])));
            children = boxed([array(*std::mem::replace(inner, empty))]);
        }
        Values::Struct(columns) => children = boxed(columns.drain(..).map(array)),
    }
    let (nulls, validity) = (column.nulls, column.validity);
    finished(
        rows,
        nulls,
        ArrayParts {
            buffers,
            children,
            _values: column.values,
            _validity: validity,
            _lengths: lengths,
        },
    )
}

fn finished(rows: usize, nulls: usize, parts: ArrayParts) -> ArrowArray {
    let mut parts = Box::new(parts);
    ArrowArray {
        length: rows as i64,
        null_count: nulls as i64,
        offset: 0,
        n_buffers: parts.buffers.len() as i64,
        n_children: parts.children.len() as i64,
        buffers: parts.buffers.as_mut_ptr(),
        children: parts.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_array),
        private_data: Box::into_raw(parts).cast(),
    }
}

/// A struct array of these columns, each of `rows` rows.
pub fn export(rows: usize, columns: Vec<Column>) -> (ArrowSchema, ArrowArray) {
    let mut whole = Column::new("", Values::Struct(columns));
    whole.rows = rows;
    (schema(&whole), array(whole))
}
