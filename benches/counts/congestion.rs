//! Congestion controllers, told what happened to the packets of a real flow.

use std::cell::RefCell;
use std::hint::black_box;

use telehash_benches::Flows;
use telehash_link::{Controller, ControllerKind, Departure, Instant, RateSample};

use crate::counter::Counter;

/// Calls of which a controller has seen as many before they are counted.
const CALLS: usize = 2048;

/// Packets that may be under way meanwhile.
const WINDOW: u64 = 32;

thread_local! {
    static SEEN: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn count(counter: &mut Counter) {
    let calls = calls();
    for kind in [ControllerKind::Cubic, ControllerKind::Bbr] {
        let mut controller = kind.build();
        let (before, counted) = calls.split_at(calls.len() - CALLS);
        before
            .iter()
            .for_each(|call| call.tell(controller.as_mut()));
        let acks = counted.iter().filter(|call| matches!(call, Call::Ack(_)));
        // And of what was sent since the last one.
        let name = format!("congestion, {kind}: an acknowledgement");
        counter.count(&name, acks.count(), || {
            counted
                .iter()
                .for_each(|call| call.tell(controller.as_mut()));
        });
    }
}

/// What a flow tells its controller.
#[derive(Clone, Copy, Debug)]
enum Call {
    PacketSize(u64),
    Sent(Departure),
    Ack(RateSample),
}

impl Call {
    /// Tells it, and asks what a flow asks.
    fn tell(&self, controller: &mut dyn Controller) {
        match self {
            Self::PacketSize(bytes) => controller.set_packet_size(*bytes),
            Self::Sent(departure) => controller.on_sent(departure),
            Self::Ack(sample) => controller.on_ack(sample),
        }
        black_box((controller.window(), controller.pacing_rate()));
    }
}

/// What a flow without losses told its controller in so many calls, and some.
fn calls() -> Vec<Call> {
    let mut flows = Flows::new(ControllerKind::Custom(|| {
        Box::new(Recorder { packet: 1200 })
    }));
    let enough = || SEEN.with_borrow(|seen| seen.len() >= 2 * CALLS);
    while !enough() {
        flows.round();
    }
    SEEN.take()
}

/// A controller that remembers what it was told.
#[derive(Debug)]
struct Recorder {
    packet: u64,
}

impl Recorder {
    fn see(call: Call) {
        SEEN.with_borrow_mut(|seen| seen.push(call));
    }
}

impl Controller for Recorder {
    fn set_packet_size(&mut self, bytes: u64) {
        self.packet = bytes;
        Self::see(Call::PacketSize(bytes));
    }

    fn on_sent(&mut self, departure: &Departure) {
        Self::see(Call::Sent(*departure));
    }

    fn on_ack(&mut self, sample: &RateSample) {
        Self::see(Call::Ack(*sample));
    }

    fn on_persistent_congestion(&mut self, _: Instant) {}

    fn window(&self) -> u64 {
        WINDOW * self.packet
    }
}
