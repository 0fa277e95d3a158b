//! Traces: what happened to which packet when.
//!
//! A [`PacketLog`] keeps it for a test to look at or to send again; a [`TextTrace`] writes it for
//! people, a line each:
//!
//! ```
//! use telehash_netsim::{Conditions, Instant, Loss, Network, PacketLog, trace};
//!
//! let (alice, bob) = ("10.0.0.1:1".parse()?, "10.0.0.2:1".parse()?);
//! let mut network = Network::new(1);
//! network.set_conditions(&Conditions::perfect().with_loss(Loss::Periodic(2)));
//! let log = PacketLog::new(100);
//! network.trace_to(log.clone());
//! network.send(Instant::from_micros(1_500), alice, bob, *b"hello");
//! network.send(Instant::from_micros(2_000), alice, bob, *b"world");
//! network.poll_delivery(Instant::from_micros(2_000));
//!
//! let lines: Vec<_> = log.entries().iter().map(|entry| entry.to_string()).collect();
//! assert_eq!(lines, [
//!     "0.001500 10.0.0.1:1 > 10.0.0.2:1 sent, arrives 0.001500 | 5 bytes 68656c6c6f",
//!     "0.002000 10.0.0.1:1 > 10.0.0.2:1 lost to Loss | 5 bytes 776f726c64",
//!     "0.001500 10.0.0.1:1 > 10.0.0.2:1 delivered | 5 bytes 68656c6c6f",
//! ]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Instant, LostTo, Packet};

/// What happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It was sent and will arrive.
    Sent {
        /// When.
        arrives: Instant,
        /// It arrives twice.
        duplicated: bool,
        /// Later ones may pass it.
        reordered: bool,
        /// One of its bits was flipped.
        corrupted: bool,
    },
    /// It was sent and will not arrive.
    Lost(LostTo),
    /// A filter lost it.
    Filtered,
    /// It arrived.
    Delivered,
}

/// One line of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// When it happened.
    pub time: Instant,
    /// To which packet.
    pub packet: &'a Packet,
    /// What.
    pub event: Event,
}

/// Is told what happens in a network.
pub trait Trace: Send {
    /// Something happened.
    fn record(&mut self, record: &Record<'_>);
}

impl<F: FnMut(&Record<'_>) + Send> Trace for F {
    fn record(&mut self, record: &Record<'_>) {
        self(record);
    }
}

/// Bytes of a packet that a line shows.
const SHOWN_BYTES: usize = 16;

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Packet {
            from, to, bytes, ..
        } = self.packet;
        write!(
            f,
            "{} {from} > {to} {} | {} bytes ",
            Seconds(self.time),
            self.event,
            bytes.len()
        )?;
        for byte in bytes.iter().take(SHOWN_BYTES) {
            write!(f, "{byte:02x}")?;
        }
        if bytes.len() > SHOWN_BYTES {
            f.write_str("..")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent {
                arrives,
                duplicated,
                reordered,
                corrupted,
            } => {
                write!(f, "sent, arrives {}", Seconds(*arrives))?;
                let marks = [
                    (duplicated, ", duplicated"),
                    (reordered, ", reordered"),
                    (corrupted, ", corrupted"),
                ];
                marks
                    .iter()
                    .filter(|(set, _)| **set)
                    .try_for_each(|(_, text)| f.write_str(text))
            }
            Self::Lost(cause) => write!(f, "lost to {cause:?}"),
            Self::Filtered => f.write_str("lost to a filter"),
            Self::Delivered => f.write_str("delivered"),
        }
    }
}

/// A moment in seconds, to the microsecond.
struct Seconds(Instant);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// Writes a line for each record.
#[derive(Debug)]
pub struct TextTrace<W> {
    /// `None` once writing has failed.
    out: Option<W>,
}

impl<W: io::Write + Send> TextTrace<W> {
    /// Writes to `out`; stops silently at its first error.
    pub const fn new(out: W) -> Self {
        Self { out: Some(out) }
    }
}

impl<W: io::Write + Send> Trace for TextTrace<W> {
    fn record(&mut self, record: &Record<'_>) {
        if let Some(out) = &mut self.out
            && writeln!(out, "{record}").is_err()
        {
            self.out = None;
        }
    }
}

/// Keeps the latest records. Clones share them: one goes to the network, one stays with the test.
#[derive(Clone, Debug)]
pub struct PacketLog {
    capacity: usize,
    entries: Arc<Mutex<VecDeque<Entry>>>,
}

/// A record that a [`PacketLog`] kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// When it happened.
    pub time: Instant,
    /// To which packet.
    pub packet: Packet,
    /// What.
    pub event: Event,
}

impl PacketLog {
    /// Keeps up to `capacity` records, then forgets the oldest for each new one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Arc::default(),
        }
    }

    /// What is kept, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trace for PacketLog {
    fn record(&mut self, record: &Record<'_>) {
        let Record {
            time,
            packet,
            event,
        } = *record;
        let mut entries = self.lock();
        if entries.len() >= self.capacity {
            entries.pop_front();
        }
        if self.capacity > 0 {
            entries.push_back(Entry {
                time,
                packet: packet.clone(),
                event,
            });
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Record {
            time: self.time,
            packet: &self.packet,
            event: self.event,
        }
        .fmt(f)
    }
}
