//! A path of one queue, with the controller at one end and nothing else: no channel, no packets.

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use telehash_e3x::Instant;

use super::super::{super::*, Bbr, State};
use crate::flow::rate::{Deliveries, Stamp};

pub(super) const PACKET: u64 = 1200;

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One packet under way.
#[derive(Clone, Copy, Debug)]
struct Flying {
    number: u64,
    stamp: Stamp,
    sent_at: Instant,
    acked_at: Instant,
    lost: bool,
}

/// The sender, and what is between it and its acks.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) now: Instant,
    pub(super) bbr: Bbr,
    /// Bytes a second, the round trip without a queue, and bytes that may wait.
    pub(super) rate: u64,
    pub(super) rtt: Duration,
    pub(super) queue: u64,
    /// Every so manieth packet is lost; none if zero.
    pub(super) lose_every: u64,
    /// Bytes that the application has; nothing for all that fits.
    pub(super) supply: Option<u64>,
    deliveries: Deliveries,
    flying: VecDeque<Flying>,
    free_at: Instant,
    next_send: Instant,
    pub(super) in_flight: u64,
    sent: u64,
    pub(super) delivered: u64,
    smoothed: Duration,
    /// The states that were passed through, without repetition.
    pub(super) states: Vec<State>,
}

impl Path {
    /// So many packets a second, and milliseconds; room for four round trips to wait.
    pub(super) fn new(packets: u64, rtt_ms: u64) -> Self {
        let now = Instant::from_micros(1_000_000_000);
        let rate = packets * PACKET;
        let mut bbr = Bbr::new();
        bbr.set_packet_size(PACKET);
        Self {
            now,
            bbr,
            rate,
            rtt: ms(rtt_ms),
            queue: rate * rtt_ms / 250,
            lose_every: 0,
            supply: None,
            deliveries: Deliveries::new(now),
            flying: VecDeque::new(),
            free_at: now,
            next_send: now,
            in_flight: 0,
            sent: 0,
            delivered: 0,
            smoothed: ms(rtt_ms),
            states: Vec::from([State::Startup]),
        }
    }

    /// What the path holds, without a queue.
    pub(super) fn bdp(&self) -> u64 {
        self.rate * self.rtt.as_micros() as u64 / 1_000_000
    }

    /// Runs until the controller is in this state, or panics.
    pub(super) fn reach(&mut self, state: State) {
        let end = self.now + Duration::from_secs(60);
        while self.bbr.state != state {
            assert!(self.now < end, "never in {state:?}: {:?}", self.states);
            self.step();
        }
    }

    /// Runs until it is in another state than this one.
    pub(super) fn leave(&mut self, state: State) {
        let end = self.now + Duration::from_secs(60);
        while self.bbr.state == state {
            assert!(self.now < end, "always in {state:?}");
            self.step();
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// Sends a packet or takes an ack, whichever is due first.
    pub(super) fn step(&mut self) {
        let has_window = self.in_flight + PACKET <= self.bbr.window();
        let has_content = self.supply.is_none_or(|supply| supply >= PACKET);
        if !has_content && has_window {
            self.deliveries.app_limited(self.in_flight);
        }
        let send_at = (has_window && has_content).then(|| self.next_send.max(self.now));
        let ack_at = self.flying.front().map(|flying| flying.acked_at);
        match (send_at, ack_at) {
            (Some(at), ack) if ack.is_none_or(|ack| at < ack) => self.send(at),
            (_, Some(at)) => self.ack(at),
            (_, None) => self.now += ms(10),
        }
        if self.states.last() != Some(&self.bbr.state) {
            self.states.push(self.bbr.state);
        }
    }

    fn send(&mut self, at: Instant) {
        self.now = at;
        self.sent += 1;
        if let Some(supply) = &mut self.supply {
            *supply -= PACKET;
        }
        let waiting = self.free_at.saturating_duration_since(at).as_micros() as u64;
        let dropped = waiting * self.rate / 1_000_000 > self.queue;
        let sending = Duration::from_micros(PACKET * 1_000_000 / self.rate);
        if !dropped {
            self.free_at = self.free_at.max(at) + sending;
        }
        let stamp = self.deliveries.on_sent(at, PACKET, self.in_flight);
        self.in_flight += PACKET;
        let unlucky = self.sent.is_multiple_of(self.lose_every);
        self.flying.push_back(Flying {
            number: self.sent,
            stamp,
            sent_at: at,
            acked_at: self.free_at.max(at) + self.rtt,
            lost: dropped || unlucky,
        });
        self.bbr.on_sent(&Departure {
            now: at,
            bytes: PACKET,
            in_flight: self.in_flight,
            app_limited: stamp.app_limited,
        });
        let rate = self.bbr.pacing_rate().unwrap_or(u64::MAX);
        self.next_send = self.next_send.max(at) + Duration::from_micros(PACKET * 1_000_000 / rate);
    }

    fn ack(&mut self, at: Instant) {
        self.now = at;
        let Some(flying) = self.flying.pop_front() else {
            return;
        };
        self.in_flight -= PACKET;
        if flying.lost {
            let lost = self.deliveries.on_lost(PACKET, Some(&flying.stamp));
            self.bbr.on_packet_lost(&LostPacket {
                now: at,
                sent_at: flying.sent_at,
                number: flying.number,
                bytes: PACKET,
                in_flight: flying.stamp.in_flight,
                lost,
                app_limited: flying.stamp.app_limited,
            });
            return;
        }
        self.delivered += PACKET;
        self.deliveries.on_delivered(at, PACKET);
        let delivery = self.deliveries.sample(&flying.stamp);
        let rtt = at.saturating_duration_since(flying.sent_at);
        self.smoothed = (self.smoothed * 7 + rtt) / 8;
        self.bbr.on_ack(&RateSample {
            now: at,
            newest_sent_at: flying.sent_at,
            acked: PACKET,
            delivered: delivery.bytes,
            interval: delivery.interval,
            sent_in_flight: delivery.sent_in_flight,
            lost: delivery.lost,
            rtt: Some(rtt),
            smoothed_rtt: self.smoothed,
            in_flight: self.in_flight,
            sent: self.deliveries.delivered() + self.in_flight,
            total_delivered: self.deliveries.delivered(),
            app_limited: delivery.app_limited,
        });
    }
}
