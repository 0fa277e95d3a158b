//! The network.

use std::{collections::BTreeMap, fmt, net::SocketAddr, time::Duration};

use telehash_transport::impair::{Arrival, Conditions, Counters, Fate, Flights, Lanes};

use crate::{
    Filter, Instant, Verdict,
    trace::{Event, Record, Trace},
};

/// Packets under way in a network. Further ones are lost, to a receiver without room.
pub const MAX_IN_FLIGHT: usize = 262_144;

/// A network between any number of addresses: packets go in at one moment and come out at another.
///
/// Addresses need no introduction; whoever drives the network hands each delivered packet to whom it
/// is for, and drops what is for nobody. A node that moves simply sends from another address.
pub struct Network {
    lanes: Lanes,
    /// Directions that go by the road of another one.
    shared: BTreeMap<Direction, Direction>,
    flights: Flights<Instant, Packet>,
    filters: Vec<Box<dyn Filter>>,
    traces: Vec<Box<dyn Trace>>,
}

/// From one address to another.
type Direction = (SocketAddr, SocketAddr);

/// A packet on its way, or delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where it was sent from.
    pub from: SocketAddr,
    /// Where it is sent to.
    pub to: SocketAddr,
    /// When it was sent.
    pub sent: Instant,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// It may be fragmented on its way, so that a path of any size carries it.
    pub fragment: bool,
}

impl Network {
    /// A perfect network. Everything that chance decides in it follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            lanes: Lanes::new(seed),
            shared: BTreeMap::new(),
            flights: Flights::new(),
            filters: Vec::new(),
            traces: Vec::new(),
        }
    }

    /// Changes the conditions of every direction, now and to come. What is under way keeps its
    /// arrival.
    pub fn set_conditions(&mut self, conditions: &Conditions) {
        self.lanes.set_conditions(conditions);
    }

    /// Changes the conditions of the direction from one address to another.
    pub fn set_direction(&mut self, from: SocketAddr, to: SocketAddr, conditions: Conditions) {
        self.lanes.lane(from, to).set_conditions(conditions);
    }

    /// Changes the conditions of both directions between two addresses.
    pub fn set_between(&mut self, one: SocketAddr, other: SocketAddr, conditions: &Conditions) {
        self.set_direction(one, other, conditions.clone());
        self.set_direction(other, one, conditions.clone());
    }

    /// Sends the packets of `direction` by the road of another one from now on, each from one address
    /// to another: both share its bottleneck, its queue and its chances, and count as one.
    pub fn share_road(&mut self, direction: Direction, road: Direction) {
        self.shared.insert(direction, road);
    }

    /// Loses everything in one direction from now on.
    pub fn block(&mut self, from: SocketAddr, to: SocketAddr) {
        self.lanes.lane(from, to).set_blocked(true);
    }

    /// Opens a direction again.
    pub fn unblock(&mut self, from: SocketAddr, to: SocketAddr) {
        self.lanes.lane(from, to).set_blocked(false);
    }

    /// Adds a filter to the end of the chain.
    pub fn add_filter(&mut self, filter: impl Filter + 'static) {
        self.filters.push(Box::new(filter));
    }

    /// Takes all filters away.
    pub fn clear_filters(&mut self) {
        self.filters.clear();
    }

    /// Tells `trace` of everything from now on.
    pub fn trace_to(&mut self, trace: impl Trace + 'static) {
        self.traces.push(Box::new(trace));
    }

    /// Sends a packet at `now`, which must not go back from call to call.
    pub fn send(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: impl Into<Vec<u8>>,
    ) {
        let packet = Packet {
            from,
            to,
            sent: now,
            bytes: bytes.into(),
            fragment: false,
        };
        self.send_packet(now, packet);
    }

    /// Sends a packet at `now`, which must not go back from call to call.
    pub fn send_packet(&mut self, now: Instant, mut packet: Packet) {
        let Some(delay) = self.filter(&mut packet) else {
            self.record(now, &packet, Event::Filtered);
            return;
        };
        match self.pass(now, &mut packet) {
            Fate::Lost(cause) => self.record(now, &packet, Event::Lost(cause)),
            Fate::Arrives(arrival) => {
                let at = instant(arrival.at.saturating_add(delay));
                self.take_off(now, at, arrival, packet);
            }
        }
    }

    /// The next packet that has arrived by `now`. Call until there is none.
    pub fn poll_delivery(&mut self, now: Instant) -> Option<Packet> {
        let (at, packet) = self.flights.pop(now)?;
        self.record(at, &packet, Event::Delivered);
        Some(packet)
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn next_delivery(&self) -> Option<Instant> {
        self.flights.next()
    }

    /// How many packets are under way, duplicates included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// What happened in one direction so far. Packets lost to filters are not counted.
    #[must_use]
    pub fn counters(&self, from: SocketAddr, to: SocketAddr) -> Counters {
        self.lanes.counters(from, to)
    }

    /// What happened in all directions so far. Packets lost to filters are not counted.
    #[must_use]
    pub fn total(&self) -> Counters {
        self.lanes.total()
    }

    /// Asks the filters; the sum of the delays that they want, or `None` if one loses the packet.
    fn filter(&mut self, packet: &mut Packet) -> Option<Duration> {
        let mut delay = Duration::ZERO;
        for filter in &mut self.filters {
            match filter.judge(packet) {
                Verdict::Pass => {}
                Verdict::Lose => return None,
                Verdict::Delay(more) => delay = delay.saturating_add(more),
            }
        }
        Some(delay)
    }

    fn pass(&mut self, now: Instant, packet: &mut Packet) -> Fate {
        let direction = (packet.from, packet.to);
        let (from, to) = self.shared.get(&direction).copied().unwrap_or(direction);
        let lane = self.lanes.lane(from, to);
        if self.flights.len() >= MAX_IN_FLIGHT {
            return lane.refuse(packet.bytes.len());
        }
        lane.pass(Duration::from_micros(now.as_micros()), &mut packet.bytes)
    }

    fn take_off(&mut self, now: Instant, at: Instant, arrival: Arrival, packet: Packet) {
        let Arrival {
            duplicated,
            reordered,
            corrupted,
            ..
        } = arrival;
        let event = Event::Sent {
            arrives: at,
            duplicated,
            reordered,
            corrupted,
        };
        self.record(now, &packet, event);
        if duplicated && self.flights.len() + 1 < MAX_IN_FLIGHT {
            self.flights.add(at, packet.clone());
        }
        self.flights.add(at, packet);
    }

    fn record(&mut self, time: Instant, packet: &Packet, event: Event) {
        for trace in &mut self.traces {
            trace.record(&Record {
                time,
                packet,
                event,
            });
        }
    }
}

/// The first whole microsecond that is not before `time`.
fn instant(time: Duration) -> Instant {
    let micros = time.as_nanos().div_ceil(1_000);
    Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("in_flight", &self.flights.len())
            .field("next_delivery", &self.next_delivery())
            .field("filters", &self.filters.len())
            .finish_non_exhaustive()
    }
}
