//! The handle of librdkafka inside confluent_kafka's object: found, and believed only if checked.

use std::ffi::{c_int, c_void};

use super::api::{Api, Rk, text};

/// RD_KAFKA_CONSUMER.
const CONSUMER: c_int = 1;

/// Where the object keeps its handle; null once the client was closed.
#[derive(Clone, Copy)]
pub struct Owner {
    pub field: usize,
    pub rk: usize,
}

impl Owner {
    /// The handle inside the consumer at `object`, whose head is `head` bytes long.
    ///
    /// Nothing is believed: the memory is read through the kernel (a wild pointer is an error, no
    /// crash), the name must be `expected` and a number, and the handle must point back to the
    /// object.
    pub fn of(api: &Api, object: usize, head: usize, expected: &str) -> Result<Owner, String> {
        let mut word = [0u8; size_of::<usize>()];
        if !readable(object + head, &mut word) {
            return Err("the object cannot be read".into());
        }
        let rk = usize::from_ne_bytes(word);
        if rk == 0 {
            return Err("the client is closed".into());
        }
        let mut page = [0u8; 4096];
        if !rk.is_multiple_of(align_of::<usize>()) || !readable(rk, &mut page) {
            return Err("there is no client where it should be".into());
        }
        let mut names = page.windows(expected.len());
        if !names.any(|name| name == expected.as_bytes()) {
            return Err(format!("there is no client of the name {expected}"));
        }
        let handle = rk as Rk;
        // SAFETY: it carries the name of the client that was asked for.
        unsafe {
            let name = String::from_utf8_lossy(text((api.name)(handle))).into_owned();
            if !name.starts_with(expected) {
                return Err(format!("its name is {name}, not {expected}"));
            }
            if (api.opaque)(handle) as usize != object || (api.kind)(handle) != CONSUMER {
                return Err("it is not the object's client".into());
            }
        }
        let field = object + head;
        Ok(Owner { field, rk })
    }

    /// Whether the client was closed meanwhile. The object must be held.
    pub fn gone(&self) -> bool {
        // SAFETY: a field of an object that is held.
        unsafe { (self.field as *const usize).read_volatile() != self.rk }
    }
}

unsafe extern "C" {
    fn pipe(ends: *mut c_int) -> c_int;
    fn write(fd: c_int, from: *const c_void, n: usize) -> isize;
    fn read(fd: c_int, to: *mut c_void, n: usize) -> isize;
    fn close(fd: c_int) -> c_int;
}

/// Copy memory that may not exist: the kernel answers EFAULT instead of a signal.
fn readable(address: usize, into: &mut [u8]) -> bool {
    // SAFETY: a pipe of our own, with room for a page; `write` checks the address itself.
    unsafe {
        let mut ends = [0; 2];
        if pipe(ends.as_mut_ptr()) != 0 {
            return false;
        }
        let n = into.len();
        let good = write(ends[1], address as *const c_void, n) == n as isize
            && read(ends[0], into.as_mut_ptr().cast(), n) == n as isize;
        close(ends[0]);
        close(ends[1]);
        good
    }
}
