//! The borrowed client: a queue of our own, into which the partitions' queues are forwarded.
//!
//! The consumer's own queue is never polled here: its first log or error event would run a callback
//! of confluent without the state that its `poll` sets up, which aborts the process.

use std::ffi::{CString, c_int};
use std::ptr::null_mut;
use std::sync::{Arc, Weak};

use super::api::{Api, Message, Queue, Rk, text};
use super::handle::Owner;
use super::records::Records;
use super::surroundings::Part;
use crate::column::Column;
use crate::json::Decoder;

/// Messages that are taken of librdkafka at once, and decoded before the next: their payloads are
/// still in the cache then.
const SLICE: usize = 500;

/// Bytes of payloads from which a poll ends before it has its records: large ones need no company.
const ENOUGH: usize = 4 << 20;

/// Records [first, last) of a poll are of one partition.
pub struct Run {
    pub partition: usize,
    pub first: usize,
    pub last: usize,
    /// Behind the last record; -1: there is none.
    pub offset: i64,
    /// Leader epoch of the last record; -1: not known.
    pub epoch: i32,
    /// Records behind the partition's end were dropped.
    pub overran: bool,
}

struct Partition {
    topic: CString,
    number: i32,
    end: i64,
    queue: Queue,
    again: bool,
}

/// Topic, partition, code, text, offset.
pub type Event = (String, i32, i32, String, i64);

/// What one poll gave.
pub struct Fetched {
    pub records: Arc<Records>,
    pub kept: usize,
    pub bytes: usize,
    pub runs: Vec<Run>,
    pub back: Vec<usize>,
    pub events: Vec<Event>,
    pub around: Vec<Column>,
}

pub struct Client {
    api: Api,
    owner: Owner,
    queue: Queue,
    partitions: Vec<Partition>,
    held: Vec<Weak<Records>>,
    open: bool,
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Send for Client {}

impl Client {
    pub fn new(api: Api, owner: Owner) -> Self {
        // SAFETY: a live client.
        let queue = unsafe { (api.queue_new)(owner.rk as Rk) };
        Client { api, owner, queue, partitions: vec![], held: vec![], open: true }
    }

    /// False once it, or the consumer, was closed.
    pub fn live(&self) -> bool {
        self.open && !self.owner.gone()
    }

    /// Before a partition is assigned: its records come here, not to the consumer's queue.
    pub fn add(&mut self, topic: &str, number: i32, end: i64) -> Result<usize, String> {
        let topic = CString::new(topic).map_err(|e| e.to_string())?;
        let mut all = self.partitions.iter_mut();
        if let Some(at) = all.position(|p| p.number == number && p.topic == topic) {
            self.partitions[at].again = true;
            self.partitions[at].end = end;
            self.forward(&self.partitions[at]);
            return Ok(at);
        }
        // SAFETY: a live client; the reference is given back in close.
        let queue =
            unsafe { (self.api.queue_get_partition)(self.owner.rk as Rk, topic.as_ptr(), number) };
        if queue.is_null() {
            return Err("there is no such partition".into());
        }
        let again = false;
        self.partitions.push(Partition { topic, number, end, queue, again });
        self.forward(&self.partitions[self.partitions.len() - 1]);
        Ok(self.partitions.len() - 1)
    }

    fn forward(&self, partition: &Partition) {
        // SAFETY: both queues are ours until close.
        unsafe { (self.api.queue_forward)(partition.queue, self.queue) };
    }

    /// Take up to `most` records; those that `decoder` does not take are handed back.
    pub fn poll(
        &mut self,
        most: usize,
        mut decoder: Option<&mut Decoder>,
        parts: &[Part],
    ) -> Result<Fetched, String> {
        // Unassigning clears the forward, at some time later: whatever was assigned again is
        // forwarded again, with what has gathered in its own queue.
        self.partitions.iter().filter(|p| p.again).for_each(|p| self.forward(p));
        let mut fetched = self.fetch(most.min(SLICE));
        let room = if fetched.len() == SLICE { most } else { fetched.len() };
        if let Some(decoder) = &mut decoder {
            decoder.begin(room);
        }
        let mut found = Sorted {
            api: self.api,
            kept: Vec::with_capacity(room),
            runs: vec![],
            back: vec![],
            events: vec![],
            around: parts.iter().map(|p| p.column(room)).collect(),
            bytes: 0,
        };
        let mut lost = None;
        let mut left = most;
        loop {
            let (came, asked) = (fetched.len(), left.min(SLICE));
            self.sort(fetched, &mut found, &mut decoder, parts, &mut lost);
            left -= came;
            if came < asked || left == 0 || found.bytes >= ENOUGH || lost.is_some() {
                break;
            }
            fetched = self.fetch(left.min(SLICE));
        }
        let fetched = found.finish(self.owner);
        self.held.retain(|each| each.strong_count() > 0);
        self.held.push(Arc::downgrade(&fetched.records));
        lost.map_or(Ok(fetched), |what| Err(format!("{what} that was not added")))
    }

    /// Tell apart what was fetched: records are decoded while they are in the cache.
    fn sort(
        &self,
        fetched: Vec<*mut Message>,
        found: &mut Sorted,
        decoder: &mut Option<&mut Decoder>,
        parts: &[Part],
        lost: &mut Option<String>,
    ) {
        let mut last = (null_mut(), -1, usize::MAX);
        for raw in fetched {
            // SAFETY: a live message.
            let message = unsafe { &*raw };
            if message.err != 0 {
                found.event(message);
            } else {
                if (message.rkt, message.partition) != (last.0, last.1) {
                    last = (message.rkt, message.partition, self.partition_of(message));
                }
                match self.partitions.get(last.2) {
                    Some(partition) if message.offset < partition.end => {
                        found.record(raw, message, last.2, decoder, parts);
                        continue;
                    }
                    Some(_) => found.run(last.2).overran = true,
                    None => *lost = Some(format!("a record of partition {}", message.partition)),
                }
            }
            // SAFETY: destroyed once; not kept.
            unsafe { (self.api.message_destroy)(raw) };
        }
    }

    fn fetch(&self, most: usize) -> Vec<*mut Message> {
        let mut fetched: Vec<*mut Message> = Vec::with_capacity(most);
        // SAFETY: room for `most` pointers; so many as it says are set.
        unsafe {
            let n = (self.api.consume_batch)(self.queue, 0, fetched.as_mut_ptr(), most);
            fetched.set_len(n.max(0) as usize);
        }
        fetched
    }

    fn partition_of(&self, message: &Message) -> usize {
        let name = message.topic(&self.api);
        let mut all = self.partitions.iter();
        all.position(|p| p.number == message.partition && p.topic.as_bytes() == name)
            .unwrap_or(usize::MAX)
    }

    /// Give everything back. If the consumer was closed before, against the rule, it is leaked.
    pub fn close(&mut self) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        self.held.drain(..).filter_map(|h| h.upgrade()).for_each(|records| records.release());
        let partitions = std::mem::take(&mut self.partitions);
        if self.owner.gone() {
            return;
        }
        // SAFETY: the queues are ours, and the client still lives (its object is held).
        unsafe {
            for partition in partitions {
                (self.api.queue_forward)(partition.queue, null_mut());
                (self.api.queue_destroy)(partition.queue);
            }
            (self.api.queue_destroy)(self.queue);
        }
    }
}

/// Messages of a poll as they are told apart.
struct Sorted {
    api: Api,
    kept: Vec<*mut Message>,
    runs: Vec<Run>,
    back: Vec<usize>,
    events: Vec<Event>,
    around: Vec<Column>,
    bytes: usize,
}

impl Sorted {
    fn event(&mut self, message: &Message) {
        // SAFETY: a text of a live message.
        let told = unsafe { text((self.api.message_errstr)(message)) };
        self.events.push((
            String::from_utf8_lossy(message.topic(&self.api)).into_owned(),
            message.partition,
            message.err as c_int,
            String::from_utf8_lossy(told).into_owned(),
            message.offset,
        ));
    }

    /// The run of this partition at the end.
    fn run(&mut self, partition: usize) -> &mut Run {
        if self.runs.last().is_none_or(|run| run.partition != partition) {
            self.runs.push(Run {
                partition,
                first: self.kept.len(),
                last: self.kept.len(),
                offset: -1,
                epoch: -1,
                overran: false,
            });
        }
        let at = self.runs.len() - 1;
        &mut self.runs[at]
    }

    fn record(
        &mut self,
        raw: *mut Message,
        message: &Message,
        partition: usize,
        decoder: &mut Option<&mut Decoder>,
        parts: &[Part],
    ) {
        let index = self.kept.len();
        let run = self.run(partition);
        run.last = index + 1;
        run.offset = message.offset + 1;
        let payload = message.payload();
        self.bytes += payload.map_or(0, <[u8]>::len);
        if let Some(decoder) = decoder
            && payload.is_none_or(|payload| decoder.push(payload).is_err())
        {
            self.back.push(index);
        }
        for (part, column) in parts.iter().zip(&mut self.around) {
            part.push(column, message, &self.api);
        }
        self.kept.push(raw);
    }

    fn finish(mut self, owner: Owner) -> Fetched {
        for run in self.runs.iter_mut().filter(|run| run.last > run.first) {
            // SAFETY: kept messages are alive.
            run.epoch = unsafe { (self.api.message_leader_epoch)(self.kept[run.last - 1]) };
        }
        Fetched {
            kept: self.kept.len(),
            records: Arc::new(Records::new(self.api, owner, self.kept)),
            bytes: self.bytes,
            runs: self.runs,
            back: self.back,
            events: self.events,
            around: self.around,
        }
    }
}
