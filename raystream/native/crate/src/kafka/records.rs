//! Messages of one poll, held for what is asked of them later: payloads that were handed back,
//! headers, records of dead letters.

use std::sync::{Mutex, MutexGuard};

use super::api::{Api, Message};
use super::handle::Owner;

pub struct Records {
    api: Api,
    owner: Owner,
    messages: Mutex<Held>,
}

struct Held(Vec<*mut Message>);

// SAFETY: messages of librdkafka may be read and destroyed by any thread; the Mutex lets one at a
// time.
unsafe impl Send for Held {}

impl Records {
    pub fn new(api: Api, owner: Owner, messages: Vec<*mut Message>) -> Self {
        Records { api, owner, messages: Mutex::new(Held(messages)) }
    }

    /// What `use_` makes of a message; None if there is no such one any more.
    pub fn with<T>(&self, index: usize, use_: impl FnOnce(&Message, &Api) -> T) -> Option<T> {
        let held = self.held()?;
        let message = *held.0.get(index)?;
        if self.owner.gone() {
            return None;
        }
        // SAFETY: alive until it is destroyed below, and the lock is held.
        Some(use_(unsafe { &*message }, &self.api))
    }

    pub fn len(&self) -> usize {
        self.held().map_or(0, |held| held.0.len())
    }

    /// Give the messages back to librdkafka, whose client must live; else they are leaked.
    pub fn release(&self) {
        let Some(mut held) = self.held() else { return };
        let gone = self.owner.gone();
        for message in held.0.drain(..) {
            if !gone {
                // SAFETY: each was got from consume_batch and is destroyed once.
                unsafe { (self.api.message_destroy)(message) };
            }
        }
    }

    fn held(&self) -> Option<MutexGuard<'_, Held>> {
        self.messages.lock().ok()
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.release();
    }
}
