//! What is around a payload, as columns: time, key, place.

use super::api::{Api, Message};
use crate::column::{Column, Values};

#[derive(Clone, Copy)]
pub enum Part {
    Time,
    Key,
    Partition,
    Offset,
    Topic,
}

impl Part {
    pub fn of(name: &str) -> Result<Part, String> {
        Ok(match name {
            "time" => Part::Time,
            "key" => Part::Key,
            "partition" => Part::Partition,
            "offset" => Part::Offset,
            "topic" => Part::Topic,
            other => return Err(format!("no native {other}")),
        })
    }

    /// An empty column for it.
    pub fn column(self, capacity: usize) -> Column {
        let ints = || Values::Int(Vec::with_capacity(capacity));
        let views = |text| Values::Views(Vec::with_capacity(capacity), Vec::new(), text);
        match self {
            Part::Time => Column::new("time", ints()),
            Part::Key => Column::new("key", views(false)),
            Part::Partition => Column::new("partition", ints()),
            Part::Offset => Column::new("offset", ints()),
            Part::Topic => Column::new("topic", views(true)),
        }
    }

    pub fn push(self, column: &mut Column, message: &Message, api: &Api) {
        match self {
            Part::Time => {
                let (kind, time) = message.timestamp(api);
                column.push_int((kind != 0).then_some(time));
            }
            Part::Key => column.push_bytes(message.key()),
            Part::Partition => column.push_int(Some(message.partition.into())),
            Part::Offset => column.push_int(Some(message.offset)),
            Part::Topic => column.push_bytes(Some(message.topic(api))),
        }
    }
}
