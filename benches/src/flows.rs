//! Two flows with a stream between them, in virtual time.

use std::hint::black_box;
use std::time::Duration;

use telehash_link::{
    ChannelId, ControllerKind, Flow, FlowConfig, Instant, Open, Order, PipeProfile, PipeSlot,
};

const SLOT: PipeSlot = PipeSlot(0);
const PLAIN: usize = 1334;

/// Two flows with a stream between them, 20 ms apart, that has run for a while.
pub struct Flows {
    now: Instant,
    flows: [Flow; 2],
    id: ChannelId,
    content: Vec<u8>,
}

impl Flows {
    /// With this congestion controller at both ends.
    ///
    /// # Panics
    ///
    /// If a new flow takes no channel.
    #[must_use]
    pub fn new(controller: ControllerKind) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut flows = [Order::Odd, Order::Even].map(|order| {
            let mut config = FlowConfig::default();
            config.controller = controller;
            let mut flow = Flow::new(config, order);
            let profile = PipeProfile {
                initial_rtt: Some(Duration::from_millis(20)),
                ..PipeProfile::default()
            };
            flow.pipe_opened(now, SLOT, profile);
            flow.pipe_selected(now, SLOT);
            flow
        });
        let id = flows[0]
            .open(now, Open::reliable("stream"))
            .expect("a new flow has room");
        let mut pair = Self {
            now,
            flows,
            id,
            content: vec![7; 1 << 16],
        };
        pair.round();
        pair.flows[1].accept(pair.now, id).expect("it was opened");
        (0..50).for_each(|_| _ = pair.round());
        pair
    }

    /// One round trip in which a window of packets goes there and its acks come back; returns how many.
    pub fn round(&mut self) -> usize {
        let _ = self.flows[0].write(self.now, self.id, &self.content);
        let there = self.carry(0);
        while let Ok(Some(packet)) = self.flows[1].read(self.now, self.id) {
            black_box(packet.body.len());
        }
        self.carry(1);
        there
    }

    fn carry(&mut self, from: usize) -> usize {
        let mut packets = Vec::new();
        loop {
            let mut plain = Vec::with_capacity(PLAIN);
            let sent = self.flows[from].poll_packet(self.now, SLOT, PLAIN, &mut plain);
            if sent.is_none() {
                break;
            }
            packets.push(plain);
        }
        self.now += Duration::from_millis(10);
        for flow in &mut self.flows {
            flow.handle_timeout(self.now);
            while flow.poll_event().is_some() {}
        }
        for packet in &packets {
            let _ = self.flows[1 - from].handle_packet(self.now, SLOT, packet);
        }
        packets.len()
    }
}
