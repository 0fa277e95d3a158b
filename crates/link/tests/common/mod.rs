//! Applications for simulated worlds.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod sets;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use telehash_hashname::Hashname;
use telehash_link::{
    ChannelEvent, ChannelId, Event, Incoming, Instant, Link, LinkKey, Open, Packet,
};
use telehash_netsim::App;

/// Accepts only these.
pub(crate) struct Only(pub Arc<Mutex<BTreeSet<Hashname>>>);

impl App for Only {
    fn accept(&mut self, _: Instant, incoming: &Incoming) -> bool {
        self.0.lock().unwrap().contains(&incoming.hashname)
    }
}

/// What a [`Peer`] saw; shared with the test.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub received: Vec<u8>,
    pub finished: bool,
    pub failed: Vec<String>,
    pub opened: usize,
    pub ups: usize,
    pub downs: usize,
    pub restarts: usize,
}

/// Sends `outgoing` on a reliable channel as soon as a link is up; collects what it receives;
/// ends its side when the peer has ended.
#[derive(Default)]
pub(crate) struct Peer {
    pub outgoing: Vec<u8>,
    pub seen: Arc<Mutex<Seen>>,
    /// Reads nothing before this time.
    pub stalled_until: Option<Instant>,
    written: BTreeMap<(LinkKey, ChannelId), usize>,
    reading: BTreeSet<ChannelId>,
}

impl Peer {
    pub(crate) fn sending(outgoing: Vec<u8>) -> (Self, Arc<Mutex<Seen>>) {
        let peer = Self {
            outgoing,
            ..Self::default()
        };
        let seen = peer.seen.clone();
        (peer, seen)
    }

    fn write(&mut self, now: Instant, key: LinkKey, link: &mut Link, id: ChannelId) {
        let Some(written) = self.written.get_mut(&(key, id)) else {
            return;
        };
        while *written < self.outgoing.len() {
            match link.write(now, id, &self.outgoing[*written..]) {
                Ok(0) => return,
                Ok(more) => *written += more,
                Err(error) => return self.seen.lock().unwrap().failed.push(error.to_string()),
            }
        }
        self.written.remove(&(key, id));
        link.end(now, id).unwrap();
    }

    fn read(&mut self, now: Instant, link: &mut Link, id: ChannelId) {
        if self.stalled_until.is_some_and(|until| now < until) {
            return;
        }
        let mut seen = self.seen.lock().unwrap();
        while let Ok(Some(Packet { body, .. })) = link.read(now, id) {
            seen.received.extend_from_slice(&body);
        }
    }
}

impl App for Peer {
    fn poll_timeout(&self) -> Option<Instant> {
        self.stalled_until
    }

    fn on_timeout(&mut self, now: Instant, _: LinkKey, link: &mut Link) {
        self.stalled_until = None;
        for id in self.reading.clone() {
            self.read(now, link, id);
        }
    }

    fn on_event(&mut self, now: Instant, key: LinkKey, link: &mut Link, event: Event) {
        match event {
            Event::Up => {
                self.seen.lock().unwrap().ups += 1;
                if !self.outgoing.is_empty() {
                    let id = link.open(now, Open::reliable("stream")).unwrap();
                    self.written.insert((key, id), 0);
                    self.write(now, key, link, id);
                }
            }
            Event::Down(_) => self.seen.lock().unwrap().downs += 1,
            Event::Restarted => self.seen.lock().unwrap().restarts += 1,
            Event::Channel(ChannelEvent::Opened { id, .. }) => {
                self.seen.lock().unwrap().opened += 1;
                link.accept(now, id).unwrap();
                self.reading.insert(id);
                self.read(now, link, id);
            }
            Event::Channel(ChannelEvent::Readable(id)) => self.read(now, link, id),
            Event::Channel(ChannelEvent::Writable(id)) => self.write(now, key, link, id),
            Event::Channel(ChannelEvent::Finished(id)) => {
                self.read(now, link, id);
                self.seen.lock().unwrap().finished = true;
                let _ = link.end(now, id);
            }
            Event::Channel(ChannelEvent::Failed { error, .. }) => {
                self.seen.lock().unwrap().failed.push(error.to_string());
            }
            _ => {}
        }
    }
}

/// Bytes that differ at every position that matters.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8)
        .collect()
}
