//! What was sent on each channel, so that what arrives can be told right from wrong.

use std::collections::BTreeSet;

use telehash_link::Packet;

use crate::plan::Id;

/// All channels that were ever opened in a world.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    streams: Vec<Stream>,
}

/// Which end of a channel: who opened it, or its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Opener,
    Acceptor,
}

#[derive(Debug)]
struct Stream {
    from: Id,
    to: Id,
    reliable: bool,
    arrived: bool,
    /// What the opener sent, and what the acceptor did.
    halves: [Half; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    /// Bytes that the sender's link took; packets of an unreliable channel.
    sent: usize,
    ended: bool,
    /// Bytes that the receiver's link handed out.
    read: usize,
    finished: bool,
    /// The channel is over for the sender: closed or failed.
    closed: bool,
    /// Packets of an unreliable channel that arrived.
    seen: BTreeSet<usize>,
}

/// Bytes before the pattern of an unreliable packet: its number.
const NUMBER_LEN: usize = 4;

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Opener => Self::Acceptor,
            Self::Acceptor => Self::Opener,
        }
    }
}

impl Ledger {
    /// A new channel; its number is told in its opening packet.
    pub(crate) fn open(&mut self, from: Id, to: Id, reliable: bool) -> usize {
        self.streams.push(Stream {
            from,
            to,
            reliable,
            arrived: false,
            halves: Default::default(),
        });
        self.streams.len() - 1
    }

    /// The opening packet of a channel arrived.
    pub(crate) fn arrived(&mut self, number: usize, at: Id, from: Id, reliable: bool) {
        let stream = &mut self.streams[number];
        let is = (stream.from, stream.to, stream.reliable);
        assert_eq!(is, (from, at, reliable), "channel {number} went astray");
        assert!(!stream.arrived, "channel {number} was opened twice");
        stream.arrived = true;
    }

    /// The next bytes that this end of a reliable channel is to write.
    pub(crate) fn next_bytes(&self, number: usize, side: Side, len: usize) -> Vec<u8> {
        let at = self.streams[number].halves[side as usize].sent;
        (at..at + len).map(|at| pattern(number, side, at)).collect()
    }

    /// So many of them were taken.
    pub(crate) fn wrote(&mut self, number: usize, side: Side, taken: usize) {
        let half = &mut self.streams[number].halves[side as usize];
        assert!(
            taken == 0 || !half.ended,
            "channel {number} took content after its end"
        );
        half.sent += taken;
    }

    /// The next packet of an unreliable channel.
    pub(crate) fn next_packet(&mut self, number: usize, side: Side, len: usize) -> Vec<u8> {
        let half = &mut self.streams[number].halves[side as usize];
        let nth = half.sent;
        half.sent += 1;
        packet(number, side, nth, len)
    }

    /// This end ended its direction.
    pub(crate) fn ended(&mut self, number: usize, side: Side) {
        self.streams[number].halves[side as usize].ended = true;
    }

    /// The channel is over for this end.
    pub(crate) fn closed(&mut self, number: usize, side: Side) {
        self.streams[number].halves[side as usize].closed = true;
    }

    pub(crate) fn has_closed(&self, number: usize, side: Side) -> bool {
        self.streams[number].halves[side as usize].closed
    }

    /// The end `reader` was handed a packet.
    pub(crate) fn read(&mut self, number: usize, reader: Side, packet: &Packet) {
        let side = reader.other();
        let stream = &mut self.streams[number];
        if stream.reliable {
            stream.halves[side as usize].read_bytes(number, side, packet);
        } else {
            stream.halves[side as usize].read_packet(number, side, packet);
        }
    }

    /// Everything that both ends of a reliable channel wrote was read, to the end.
    pub(crate) fn assert_complete(&self, number: usize) {
        for half in &self.streams[number].halves {
            assert!(
                half.finished && half.read == half.sent,
                "channel {number} closed before everything had arrived: {half:?}"
            );
        }
    }

    /// Channels, and bytes that were read of them.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let halves = self.streams.iter().flat_map(|stream| &stream.halves);
        let read = halves.map(|half| half.read + half.seen.len()).sum();
        (self.streams.len(), read)
    }
}

impl Half {
    /// What is delivered is a prefix of what was sent, and ends where that ended.
    fn read_bytes(&mut self, number: usize, side: Side, packet: &Packet) {
        assert!(!self.finished, "channel {number} went on after its end");
        for byte in &packet.body {
            assert!(
                self.read < self.sent && *byte == pattern(number, side, self.read),
                "channel {number} delivered what was not sent, at byte {} of {}",
                self.read,
                self.sent
            );
            self.read += 1;
        }
        if packet.end {
            assert!(
                self.ended && self.read == self.sent,
                "channel {number} ended at byte {} of {}",
                self.read,
                self.sent
            );
            self.finished = true;
        }
    }

    /// What is delivered was sent, and is delivered once.
    fn read_packet(&mut self, number: usize, side: Side, received: &Packet) {
        if received.end && received.body.is_empty() {
            assert!(self.ended, "channel {number} was ended by nobody");
            return;
        }
        let (nth, _) = received.body.split_at(NUMBER_LEN);
        let nth = u32::from_le_bytes(nth.try_into().unwrap()) as usize;
        assert!(
            nth < self.sent && packet(number, side, nth, received.body.len()) == received.body,
            "channel {number} delivered a packet that was not sent"
        );
        assert!(
            self.seen.insert(nth),
            "channel {number} delivered packet {nth} twice"
        );
    }
}

fn pattern(number: usize, side: Side, at: usize) -> u8 {
    let mixed =
        (number * 2 + side as usize) as u64 ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 40) as u8
}

fn packet(number: usize, side: Side, nth: usize, len: usize) -> Vec<u8> {
    let mut bytes = u32::try_from(nth).unwrap().to_le_bytes().to_vec();
    bytes.extend((NUMBER_LEN..len.max(NUMBER_LEN)).map(|at| pattern(number, side, nth * 7 + at)));
    bytes
}
