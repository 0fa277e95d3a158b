//! The body of a fuzz target: two flows, and an operation for every two bytes.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use telehash_e3x::{Instant, Order};

use super::{
    ChannelError, ChannelEvent, ChannelId, Flow, FlowConfig, Open, Packet, PipeProfile, PipeSlot,
};

/// Operations beyond these are not run: a fuzzer learns nothing from longer ones.
const MAX_OPERATIONS: usize = 1000;

/// More steps than two flows can need to fall silent.
const MAX_STEPS: usize = 20_000;

const MAX_PLAIN: usize = 300;

/// Drives two flows by bytes: they open, accept, refuse, write, send, read, end and fail channels,
/// lose, repeat, reorder and forge packets, change pipes and sessions, and let time pass.
///
/// # Panics
/// If what one reads is not what the other wrote, unless a packet was forged; if limits are
/// exceeded; or if they do not fall silent in the end.
pub fn fuzz_flow(data: &[u8]) {
    let mut machine = Machine::new();
    for operation in data.chunks_exact(2).take(MAX_OPERATIONS) {
        machine.run(operation[0], operation[1]);
        machine.look();
    }
    machine.finish();
}

struct Machine {
    now: Instant,
    flows: [Flow; 2],
    /// Packets under way to each flow.
    wires: [VecDeque<Vec<u8>>; 2],
    /// Channels each flow may use, and how far each has written and read the test pattern.
    streams: [BTreeMap<ChannelId, (usize, usize)>; 2],
    offered: [Vec<ChannelId>; 2],
    forged: bool,
}

impl Machine {
    fn new() -> Self {
        let now = Instant::from_micros(1_000_000);
        let config = FlowConfig {
            max_channels: 8,
            recv_bytes: 20_000,
            link_recv_bytes: 60_000,
            send_bytes: 30_000,
            unsent_bytes: 10_000,
            ..FlowConfig::default()
        };
        let flow = |order| {
            let mut flow = Flow::new(config.clone(), order);
            flow.pipe_opened(now, PipeSlot(0), PipeProfile::default());
            flow.pipe_selected(now, PipeSlot(0));
            flow.set_max_plain(MAX_PLAIN);
            flow
        };
        Self {
            now,
            flows: [flow(Order::Odd), flow(Order::Even)],
            wires: Default::default(),
            streams: Default::default(),
            offered: Default::default(),
            forged: false,
        }
    }

    fn run(&mut self, operation: u8, argument: u8) {
        let (side, operation) = (usize::from(operation & 1), operation >> 1);
        match operation % 20 {
            0 => self.open(side, argument),
            1 => self.answer(side, argument),
            2..=4 => self.write(side, argument),
            5 => self.send(side, argument),
            6 | 7 => self.read(side, argument),
            8 => self.end(side, argument),
            9 => self.fail(side, argument),
            10 | 11 => self.transmit(side, usize::from(argument % 32)),
            12 | 13 => self.deliver(side, usize::from(argument % 32)),
            14 => _ = self.wires[side].pop_front(),
            15 => self.repeat(side),
            16 => self.reorder(side, usize::from(argument)),
            17 => self.pass(Duration::from_millis(u64::from(argument).pow(2))),
            18 => self.forge(side, argument),
            _ => self.disrupt(side, argument),
        }
    }

    fn pick(&self, side: usize, argument: u8) -> Option<ChannelId> {
        let streams = &self.streams[side];
        streams
            .keys()
            .nth(usize::from(argument >> 4) % streams.len().max(1))
            .copied()
    }

    fn open(&mut self, side: usize, argument: u8) {
        let open = if argument & 1 == 0 {
            Open::reliable("r")
        } else {
            Open::unreliable("u")
        };
        if let Ok(id) = self.flows[side].open(self.now, open)
            && argument & 1 == 0
        {
            self.streams[side].insert(id, (0, 0));
        }
    }

    fn answer(&mut self, side: usize, argument: u8) {
        let Some(id) = self.offered[side].pop() else {
            return;
        };
        if argument < 200 {
            let _ = self.flows[side].accept(self.now, id);
            self.streams[side].insert(id, (0, 0));
        } else {
            self.flows[side].refuse(self.now, id, "no");
        }
    }

    fn write(&mut self, side: usize, argument: u8) {
        let Some(id) = self.pick(side, argument) else {
            return;
        };
        let Some((written, _)) = self.streams[side].get_mut(&id) else {
            return;
        };
        let len = usize::from(argument) * 16;
        let data: Vec<u8> = (*written..*written + len).map(pattern).collect();
        if let Ok(taken) = self.flows[side].write(self.now, id, &data) {
            *written += taken;
        }
    }

    fn send(&mut self, side: usize, argument: u8) {
        let Some(id) = self.pick(side, argument) else {
            return;
        };
        let Some((written, _)) = self.streams[side].get_mut(&id) else {
            return;
        };
        let len = usize::from(argument);
        let data: Vec<u8> = (*written..*written + len).map(pattern).collect();
        let packet = Packet {
            frag: argument & 1 == 1,
            ..Packet::new(data)
        };
        if self.flows[side].send(self.now, id, packet).is_ok() {
            *written += len;
        }
    }

    fn read(&mut self, side: usize, argument: u8) {
        let Some(id) = self.pick(side, argument) else {
            return;
        };
        for _ in 0..argument % 16 {
            let Ok(Some(packet)) = self.flows[side].read(self.now, id) else {
                return;
            };
            let Some((_, read)) = self.streams[side].get_mut(&id) else {
                return;
            };
            for byte in &packet.body {
                assert!(
                    self.forged || *byte == pattern(*read),
                    "byte {read} of {id}"
                );
                *read += 1;
            }
        }
    }

    fn end(&mut self, side: usize, argument: u8) {
        if let Some(id) = self.pick(side, argument) {
            let _ = self.flows[side].end(self.now, id);
        }
    }

    fn fail(&mut self, side: usize, argument: u8) {
        if let Some(id) = self.pick(side, argument) {
            self.flows[side].fail(self.now, id, "failed");
            self.streams[side].remove(&id);
        }
    }

    /// Lets one side put packets on the wire.
    fn transmit(&mut self, side: usize, packets: usize) {
        for _ in 0..packets {
            let mut packet = Vec::new();
            let slot = PipeSlot(0);
            if self.flows[side]
                .poll_packet(self.now, slot, MAX_PLAIN, &mut packet)
                .is_none()
            {
                break;
            }
            self.wires[1 - side].push_back(packet);
        }
    }

    fn deliver(&mut self, side: usize, packets: usize) {
        for _ in 0..packets {
            let Some(packet) = self.wires[side].pop_front() else {
                break;
            };
            let _ = self.flows[side].handle_packet(self.now, PipeSlot(0), &packet);
        }
    }

    fn repeat(&mut self, side: usize) {
        if let Some(packet) = self.wires[side].front().cloned() {
            self.wires[side].push_back(packet);
        }
    }

    fn reorder(&mut self, side: usize, by: usize) {
        let wire = &mut self.wires[side];
        wire.rotate_left(by % wire.len().max(1));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.flows
            .iter_mut()
            .for_each(|flow| flow.handle_timeout(self.now));
    }

    /// Changes a packet under way.
    fn forge(&mut self, side: usize, argument: u8) {
        let Some(packet) = self.wires[side].front_mut() else {
            return;
        };
        self.forged = true;
        let at = usize::from(argument) % packet.len();
        packet[at] = packet[at].wrapping_add(argument | 1);
    }

    fn disrupt(&mut self, side: usize, argument: u8) {
        let (now, flow) = (self.now, &mut self.flows[side]);
        match argument {
            0..=199 => {
                flow.pipe_closed(now, PipeSlot(0));
                let reliable = argument < 50;
                flow.pipe_opened(
                    now,
                    PipeSlot(0),
                    PipeProfile {
                        reliable,
                        ..Default::default()
                    },
                );
                flow.pipe_selected(now, PipeSlot(0));
            }
            _ => {
                self.wires = Default::default();
                self.streams = Default::default();
                self.offered = Default::default();
                for flow in &mut self.flows {
                    flow.reset(now, ChannelError::Reset);
                }
            }
        }
    }

    /// Takes note of events, and of limits.
    fn look(&mut self) {
        for side in 0..2 {
            while let Some(event) = self.flows[side].poll_event() {
                match event {
                    ChannelEvent::Opened { id, .. } => self.offered[side].push(id),
                    ChannelEvent::Failed { id, .. } => _ = self.streams[side].remove(&id),
                    _ => {}
                }
            }
            let limit = self.flows[side].config.link_recv_bytes + 16 * (MAX_PLAIN * 16 + 64);
            assert!(
                self.flows[side].held <= limit,
                "{} bytes held",
                self.flows[side].held
            );
        }
    }

    /// Left alone, both fall silent.
    fn finish(mut self) {
        for _ in 0..MAX_STEPS {
            for side in 0..2 {
                self.transmit(side, usize::MAX);
                self.deliver(side, usize::MAX);
            }
            self.look();
            if self.wires.iter().all(VecDeque::is_empty) {
                let Some(next) = self.flows.iter().filter_map(Flow::poll_timeout).min() else {
                    return;
                };
                let later = next.saturating_duration_since(self.now);
                self.pass(later.max(Duration::from_micros(1)));
            }
            if self.now > Instant::from_micros(u64::MAX / 2) {
                break;
            }
        }
        panic!("the flows do not fall silent");
    }
}

fn pattern(at: usize) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 13) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_operations_two_flows_hold_their_promises() {
        for seed in 0..300_u64 {
            let mut state = seed;
            let data: Vec<u8> = (0..2000)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 33) as u8
                })
                .collect();
            fuzz_flow(&data);
        }
    }
}
