//! Bodies of the fuzz targets: whatever the bytes say, nothing panics and the promises hold.

mod byte_stream;

use alloc::{collections::VecDeque, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::{Csid, Hashname, Path};

pub use self::byte_stream::tcp_endpoint;
use crate::{
    Announcement, ChannelEvent, ChannelId, Config, Dispatch, Endpoint, Event, Instant, Link,
    LinkKey, LinkOptions, Neighbours, Open, Packet, PathSource, PipeId, TransportId,
};

/// Operations beyond these are not run: a fuzzer learns nothing from longer ones.
const MAX_OPERATIONS: usize = 512;

/// Drives two endpoints by bytes: each pair is an operation and its argument. They link, open
/// channels, write, read, end, fail, lose, repeat, reorder and corrupt each other's packets, and
/// let time pass. What one end delivers is always a prefix of what the other wrote. An odd byte at
/// the end has them use a cipher set with fresh ephemerals, where that is enabled.
pub fn two_endpoints(data: &[u8]) {
    let fresh = data.len() % 2 == 1 && CipherSets::default().get(Csid::CS42).is_some();
    let mut machine = Machine::new(if fresh { Csid::CS42 } else { Csid::CS3A });
    for operation in data.chunks_exact(2).take(MAX_OPERATIONS) {
        machine.run(operation[0], operation[1]);
        machine.settle();
    }
    machine.finish();
}

/// Hears bytes as an announcement. Whoever is reported has keys that add up to its name, all of them
/// known; the same bytes are news once; and what was read survives being announced again.
pub fn announcement(data: &[u8]) {
    let now = Instant::from_micros(0);
    let mut neighbours = Neighbours::new(Hashname::from_bytes([0; 32]), now);
    let path = || Path::udp(SocketAddr::from(([192, 0, 2, 1], 1)));
    let told = neighbours.hear(now, path(), data);
    let parsed = Announcement::parse(data);
    assert_eq!(told.is_some(), parsed.is_ok());
    let Ok(announcement) = parsed else { return };
    let told = told.expect("an announcement is news");
    assert!(told.keys.is_complete());
    assert_eq!(told.keys.hashname(), Some(told.hashname));
    assert!(neighbours.hear(now, path(), data).is_none(), "news twice");
    for packet in announcement.packets().into_iter().flatten() {
        assert!(Announcement::is_likely(&packet));
        assert_eq!(Announcement::parse(&packet).as_ref(), Ok(&announcement));
    }
}

struct Machine {
    now: Instant,
    ends: [End; 2],
    /// Datagrams on their way, and to which end.
    wire: VecDeque<(usize, Vec<u8>)>,
}

struct End {
    endpoint: Endpoint,
    identity: Identity,
    link: Option<(LinkKey, Link)>,
    channels: Vec<Stream>,
    /// Channels of former sessions, for what their other ends read.
    former: Vec<Stream>,
}

/// One end of a reliable channel.
struct Stream {
    id: ChannelId,
    ours: bool,
    written: Vec<u8>,
    read: Vec<u8>,
}

impl Machine {
    fn new(csid: Csid) -> Self {
        let now = Instant::from_micros(1_000_000_000);
        Self {
            now,
            ends: [End::new(now, csid, 1), End::new(now, csid, 2)],
            wire: VecDeque::new(),
        }
    }

    fn run(&mut self, operation: u8, argument: u8) {
        let end = usize::from(operation >> 7);
        let nth = usize::from(argument);
        match operation & 0x0f {
            0 => self.connect(end),
            1 => self.open(end),
            2 => self.write(end, nth),
            3 => self.read(end, nth),
            4 => self.end(end, nth),
            5 => self.fail(end, nth),
            6 => drop(self.wire.pop_front()),
            7 => self.wire.extend(self.wire.front().cloned()),
            8 => self.wire.rotate_left(usize::from(!self.wire.is_empty())),
            9 => self.corrupt(nth),
            10 => self.pass(Duration::from_millis(u64::from(argument))),
            11 => self.pass(Duration::from_secs(u64::from(argument))),
            12 => {
                if let Some((_, link)) = &mut self.ends[end].link {
                    link.close(self.now);
                }
            }
            13 => self.unreliable(end, nth),
            _ => self.deliver(nth),
        }
    }

    fn connect(&mut self, end: usize) {
        let keys = self.ends[1 - end].identity.keys().clone();
        let this = &mut self.ends[end];
        if this.link.is_none() {
            this.link = this
                .endpoint
                .connect(self.now, &keys, LinkOptions::default())
                .ok();
        }
        if let Some((_, link)) = &mut this.link {
            link.add_path(self.now, pipe(1 - end), PathSource::Dialed);
        }
    }

    fn open(&mut self, end: usize) {
        let this = &mut self.ends[end];
        if let Some((_, link)) = &mut this.link
            && let Ok(id) = link.open(self.now, Open::reliable("stream"))
        {
            this.channels.push(Stream::new(id, true));
        }
    }

    fn unreliable(&mut self, end: usize, size: usize) {
        if let Some((_, link)) = &mut self.ends[end].link
            && let Ok(id) = link.open(self.now, Open::unreliable("noise"))
        {
            let _ = link.send(self.now, id, Packet::new(alloc::vec![7; size * 8]));
        }
    }

    fn write(&mut self, end: usize, nth: usize) {
        let now = self.now;
        let Some((link, stream)) = self.ends[end].pick(nth) else {
            return;
        };
        let data = alloc::vec![nth as u8; 1 + nth * 40];
        if let Ok(taken) = link.write(now, stream.id, &data) {
            stream.written.extend_from_slice(&data[..taken]);
        }
    }

    fn read(&mut self, end: usize, nth: usize) {
        let now = self.now;
        let Some((link, stream)) = self.ends[end].pick(nth) else {
            return;
        };
        while let Ok(Some(packet)) = link.read(now, stream.id) {
            stream.read.extend_from_slice(&packet.body);
        }
        self.check();
    }

    fn end(&mut self, end: usize, nth: usize) {
        let now = self.now;
        if let Some((link, stream)) = self.ends[end].pick(nth) {
            let _ = link.end(now, stream.id);
        }
    }

    fn fail(&mut self, end: usize, nth: usize) {
        let now = self.now;
        if let Some((link, stream)) = self.ends[end].pick(nth) {
            link.fail(now, stream.id, "fuzzed");
        }
    }

    fn corrupt(&mut self, nth: usize) {
        if let Some((_, datagram)) = self.wire.front_mut() {
            let at = nth * 7 % datagram.len().max(1);
            datagram
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 0x10);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for end in &mut self.ends {
            end.endpoint.handle_timeout(self.now);
            if let Some((_, link)) = &mut end.link {
                link.handle_timeout(self.now);
            }
        }
    }

    fn deliver(&mut self, count: usize) {
        for _ in 0..=count {
            let Some((to, datagram)) = self.wire.pop_front() else {
                return;
            };
            self.receive(to, datagram);
            self.settle();
        }
    }

    fn receive(&mut self, to: usize, mut datagram: Vec<u8>) {
        let (now, from) = (self.now, pipe(1 - to));
        let this = &mut self.ends[to];
        match this.endpoint.handle(now, from, &mut datagram) {
            Dispatch::Link(key, input) => {
                if let Some((own, link)) = &mut this.link
                    && *own == key
                {
                    link.handle(now, from, input, &mut datagram);
                }
            }
            Dispatch::Incoming(incoming) => {
                let options = LinkOptions::default();
                this.link = this.endpoint.accept(now, incoming.ticket, options).ok();
            }
            Dispatch::Drop(_) | Dispatch::Forward(_) => {}
        }
    }

    fn settle(&mut self) {
        for (number, end) in self.ends.iter_mut().enumerate() {
            end.settle(self.now, |datagram| {
                self.wire.push_back((1 - number, datagram));
            });
        }
        // A wire that holds more than a few windows only repeats itself.
        self.wire.truncate(4096);
    }

    /// What was read is a prefix of what the other end wrote to the same channel.
    fn check(&self) {
        for (number, end) in self.ends.iter().enumerate() {
            for stream in &end.channels {
                let other = &self.ends[1 - number];
                let written = other.channels.iter().chain(&other.former).any(|other| {
                    other.id == stream.id
                        && other.ours != stream.ours
                        && other.written.starts_with(&stream.read)
                });
                assert!(
                    stream.read.is_empty() || written,
                    "delivered what was not written"
                );
            }
        }
    }

    fn finish(mut self) {
        for _ in 0..8 {
            self.deliver(64);
            self.pass(Duration::from_secs(60));
            self.settle();
        }
        for end in 0..2 {
            (0..self.ends[end].channels.len()).for_each(|nth| self.read(end, nth));
        }
        self.check();
    }
}

impl End {
    fn new(now: Instant, csid: Csid, seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let identity = Identity::generate(&CipherSets::default(), &[csid], &mut rng)
            .expect("these cipher sets make keys of any random bytes");
        let config = Config::default();
        let endpoint = Endpoint::new(
            config,
            identity.clone(),
            now,
            Duration::from_secs(1_800_000_000),
            [seed + 10; 32],
        );
        Self {
            endpoint,
            identity,
            link: None,
            channels: Vec::new(),
            former: Vec::new(),
        }
    }

    fn pick(&mut self, nth: usize) -> Option<(&mut Link, &mut Stream)> {
        let at = nth % self.channels.len().max(1);
        Some((&mut self.link.as_mut()?.1, self.channels.get_mut(at)?))
    }

    fn settle(&mut self, now: Instant, mut send: impl FnMut(Vec<u8>)) {
        let Some((key, link)) = &mut self.link else {
            return;
        };
        while let Some(event) = link.poll_endpoint_event() {
            self.endpoint.handle_link_event(*key, event);
        }
        while let Some(event) = link.poll_event() {
            match event {
                Event::Channel(ChannelEvent::Opened {
                    id, reliable: true, ..
                }) if link.accept(now, id).is_ok() => {
                    self.channels.push(Stream::new(id, false));
                }
                // Ids begin again with a new session.
                Event::Down(_) | Event::Restarted => self.former.append(&mut self.channels),
                _ => {}
            }
        }
        let mut buf = Vec::new();
        while let Some(transmit) = link.poll_transmit(now, &mut buf, 8) {
            let size = transmit.segment_size.unwrap_or(buf.len()).max(1);
            buf.chunks(size)
                .for_each(|datagram| send(datagram.to_vec()));
            buf.clear();
        }
    }
}

impl Stream {
    fn new(id: ChannelId, ours: bool) -> Self {
        Self {
            id,
            ours,
            written: Vec::new(),
            read: Vec::new(),
        }
    }
}

fn pipe(end: usize) -> PipeId {
    let port = if end == 0 { 1 } else { 2 };
    PipeId::socket(TransportId(0), SocketAddr::from(([10, 0, 0, 1], port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_machine_gets_a_stream_across() {
        // Connect, let it settle, open, write, deliver, read.
        two_endpoints(&[
            0, 0, 15, 63, 10, 50, 15, 63, 1, 0, 2, 9, 15, 63, 0x83, 0, 3, 0,
        ]);
    }

    #[test]
    fn a_session_that_is_replaced_before_it_was_up_leaves_no_news_behind() {
        two_endpoints(include_bytes!(
            "../../../fuzz/corpus/two_endpoints/session-replaced-before-it-was-up"
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_operations_break_a_promise(
            operations in proptest::collection::vec(any::<u8>(), 0..600)
        ) {
            two_endpoints(&operations);
        }
    }
}
