//! Records of a confluent_kafka.Consumer, borrowed: configuration, security, assignment and
//! callbacks stay in Python, and here records are only taken and decoded.

mod api;
mod client;
mod handle;
mod reader;
mod records;
mod surroundings;

pub use reader::{Polled, Reader, librdkafka_version};
