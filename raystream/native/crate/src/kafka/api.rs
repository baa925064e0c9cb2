//! The part of librdkafka's public interface that is needed, resolved in the library that
//! confluent-kafka has loaded already: no second librdkafka, nothing to build or to link.

use std::ffi::{CString, c_char, c_int, c_void};

#[repr(C)]
pub struct Message {
    pub err: c_int,
    pub rkt: *mut c_void,
    pub partition: i32,
    pub payload: *mut c_void,
    pub len: usize,
    pub key: *mut c_void,
    pub key_len: usize,
    pub offset: i64,
    pub private: *mut c_void,
}

pub type Rk = *mut c_void;
pub type Queue = *mut c_void;

type HeaderGetAll = unsafe extern "C" fn(
    *const c_void,
    usize,
    *mut *const c_char,
    *mut *const c_void,
    *mut usize,
) -> c_int;

#[derive(Clone, Copy)]
pub struct Api {
    pub name: unsafe extern "C" fn(Rk) -> *const c_char,
    pub opaque: unsafe extern "C" fn(Rk) -> *mut c_void,
    pub kind: unsafe extern "C" fn(Rk) -> c_int,
    pub version: unsafe extern "C" fn() -> c_int,
    pub queue_new: unsafe extern "C" fn(Rk) -> Queue,
    pub queue_destroy: unsafe extern "C" fn(Queue),
    pub queue_get_partition: unsafe extern "C" fn(Rk, *const c_char, i32) -> Queue,
    pub queue_forward: unsafe extern "C" fn(Queue, Queue),
    pub consume_batch: unsafe extern "C" fn(Queue, c_int, *mut *mut Message, usize) -> isize,
    pub message_destroy: unsafe extern "C" fn(*mut Message),
    pub message_timestamp: unsafe extern "C" fn(*const Message, *mut c_int) -> i64,
    pub message_leader_epoch: unsafe extern "C" fn(*const Message) -> i32,
    pub message_headers: unsafe extern "C" fn(*const Message, *mut *mut c_void) -> c_int,
    pub header_get_all: HeaderGetAll,
    pub message_errstr: unsafe extern "C" fn(*const Message) -> *const c_char,
    pub topic_name: unsafe extern "C" fn(*const c_void) -> *const c_char,
}

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

const RTLD_NOW: c_int = 2;
#[cfg(target_os = "macos")]
const RTLD_NOLOAD: c_int = 0x10;
#[cfg(not(target_os = "macos"))]
const RTLD_NOLOAD: c_int = 4;

macro_rules! resolve {
    ($handle:expr, $($field:ident = $name:literal),* $(,)?) => {
        Api { $($field: {
            let symbol = dlsym($handle, concat!($name, "\0").as_ptr().cast());
            if symbol.is_null() {
                return Err(concat!("librdkafka has no ", $name).to_owned());
            }
            std::mem::transmute_copy(&symbol)
        }),* }
    };
}

impl Api {
    /// `module`: path of confluent_kafka's extension module, which must be loaded already; its
    /// symbols are looked up in what it is linked to.
    pub fn of(module: &str) -> Result<Api, String> {
        let path = CString::new(module).map_err(|e| e.to_string())?;
        // SAFETY: signatures as in rdkafka.h, unchanged since 1.x (ABI-stable soname .so.1).
        unsafe {
            let handle = dlopen(path.as_ptr(), RTLD_NOW | RTLD_NOLOAD);
            if handle.is_null() {
                return Err(format!("{module} is not loaded"));
            }
            Ok(resolve!(
                handle,
                name = "rd_kafka_name",
                opaque = "rd_kafka_opaque",
                kind = "rd_kafka_type",
                version = "rd_kafka_version",
                queue_new = "rd_kafka_queue_new",
                queue_destroy = "rd_kafka_queue_destroy",
                queue_get_partition = "rd_kafka_queue_get_partition",
                queue_forward = "rd_kafka_queue_forward",
                consume_batch = "rd_kafka_consume_batch_queue",
                message_destroy = "rd_kafka_message_destroy",
                message_timestamp = "rd_kafka_message_timestamp",
                message_leader_epoch = "rd_kafka_message_leader_epoch",
                message_headers = "rd_kafka_message_headers",
                header_get_all = "rd_kafka_header_get_all",
                message_errstr = "rd_kafka_message_errstr",
                topic_name = "rd_kafka_topic_name",
            ))
        }
    }
}

/// A text of librdkafka; empty if there is none.
///
/// # Safety
/// Null, or a C string that lives as long as the result.
pub unsafe fn text<'a>(pointer: *const c_char) -> &'a [u8] {
    if pointer.is_null() {
        return b"";
    }
    // SAFETY: as demanded.
    unsafe { std::ffi::CStr::from_ptr(pointer).to_bytes() }
}

impl Message {
    pub fn payload(&self) -> Option<&[u8]> {
        // SAFETY: so many bytes of a live message.
        (!self.payload.is_null())
            .then(|| unsafe { std::slice::from_raw_parts(self.payload.cast(), self.len) })
    }

    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: as above.
        (!self.key.is_null())
            .then(|| unsafe { std::slice::from_raw_parts(self.key.cast(), self.key_len) })
    }

    /// Empty for an error of the whole client.
    pub fn topic(&self, api: &Api) -> &[u8] {
        if self.rkt.is_null() {
            return b"";
        }
        // SAFETY: the topic of a live message lives.
        unsafe { text((api.topic_name)(self.rkt)) }
    }

    /// Kind (0: none) and epoch ms.
    pub fn timestamp(&self, api: &Api) -> (c_int, i64) {
        let mut kind = 0;
        // SAFETY: a live message.
        let time = unsafe { (api.message_timestamp)(self, &mut kind) };
        (kind, time)
    }
}
