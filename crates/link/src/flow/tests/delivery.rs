//! Every byte arrives, in order, whatever the weather.

use super::*;

const SEEDS: u64 = 200;
const BYTES: usize = 64 << 10;
const ANSWER: usize = 8 << 10;

/// More than fits the window of a reader that has stopped.
const STOPPED_BYTES: usize = 176 << 10;

/// One stream there and a shorter one back.
struct Transfer {
    id: ChannelId,
    /// How much each side writes.
    targets: [usize; 2],
    written: [usize; 2],
    read: [usize; 2],
    ended: [bool; 2],
    /// The reader stops for 10 s at this byte.
    stop_at: Option<usize>,
    stopped_until: Option<Instant>,
}

impl Transfer {
    fn new(world: &mut World, stop: bool) -> Self {
        let id = world.flows[0]
            .open(world.now, Open::reliable("stream"))
            .expect("opens");
        let stop_at = stop.then_some(BYTES / 4);
        let targets = [if stop { STOPPED_BYTES } else { BYTES }, ANSWER];
        let (written, read, ended) = ([0; 2], [0; 2], [false; 2]);
        Self {
            id,
            targets,
            written,
            read,
            ended,
            stop_at,
            stopped_until: None,
        }
    }

    /// What the applications do whenever they can.
    fn act(&mut self, world: &mut World) {
        for side in 0..2 {
            for event in core::mem::take(&mut world.events[side]) {
                match event {
                    ChannelEvent::Opened {
                        id, reliable: true, ..
                    } => {
                        world.flows[side].accept(world.now, id).expect("accepts");
                    }
                    ChannelEvent::Failed { error, .. } => panic!("side {side} failed: {error}"),
                    _ => {}
                }
            }
            self.write(world, side);
            self.read(world, side);
        }
    }

    fn write(&mut self, world: &mut World, side: usize) {
        let target = self.targets[side];
        while self.written[side] < target {
            let len = ((world.steps as usize * 37 + self.written[side] * 13) % 5000 + 1)
                .min(target - self.written[side])
                .min(world.flows[side].writable(self.id));
            if len == 0 {
                return;
            }
            let data = content(self.written[side], len);
            match world.flows[side].write(world.now, self.id, &data) {
                Ok(0) | Err(_) => return,
                Ok(taken) => self.written[side] += taken,
            }
        }
        if !self.ended[side] {
            self.ended[side] = true;
            world.flows[side].end(world.now, self.id).expect("ends");
        }
    }

    fn read(&mut self, world: &mut World, side: usize) {
        if side == 1 && self.stopped_until.is_some_and(|until| world.now < until) {
            return;
        }
        while let Ok(Some(packet)) = world.flows[side].read(world.now, self.id) {
            for byte in &packet.body {
                assert_eq!(*byte, pattern(self.read[side]), "byte {}", self.read[side]);
                self.read[side] += 1;
            }
            let stops = side == 1 && self.stop_at.is_some_and(|at| self.read[1] >= at);
            if stops && self.stopped_until.is_none() {
                self.stopped_until = Some(world.now + Duration::from_secs(10));
                return;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.read == [self.targets[1], self.targets[0]]
    }
}

fn run(weather: Weather, seed: u64, stop: bool) {
    let mut world = World::new(weather, seed);
    let mut transfer = Transfer::new(&mut world, stop);
    let deadline = world.now + Duration::from_secs(600);
    while !transfer.is_done() {
        transfer.act(&mut world);
        let next = transfer
            .stopped_until
            .filter(|until| *until > world.now)
            .unwrap_or(deadline);
        let going = world.step(next) || next < deadline;
        assert!(
            going,
            "seed {seed}, {weather:?}: stuck at {:?}",
            transfer.read
        );
        assert!(world.steps < 60_000, "seed {seed}, {weather:?}: livelock");
    }
    // The ends, their acks, and the time that ended channels are remembered.
    for _ in 0..2 {
        world.drive_bounded(Duration::from_secs(40), 20_000);
        transfer.act(&mut world);
    }
    world.drive_bounded(Duration::from_secs(20), 1000);
    assert_eq!(
        world.flows.each_ref().map(Flow::channels),
        [0, 0],
        "seed {seed}, {weather:?}"
    );
    assert_eq!(world.flows.each_ref().map(|flow| flow.held), [0, 0]);
}

fn run_all(loss: u64, burst: u64, stop: bool) {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed ^ loss << 32);
        let weather = Weather {
            delay: ms(1 + rng.below(80)),
            jitter: if rng.chance(500) {
                ms(rng.below(20))
            } else {
                Duration::ZERO
            },
            loss,
            burst,
            duplicates: if rng.chance(500) { 20 } else { 0 },
            rate: 200_000 + rng.below(5_000_000),
            queue: 10_000 + rng.below(100_000),
        };
        run(weather, seed, stop);
    }
}

macro_rules! losses {
    ($($name:ident: $loss:literal, $burst:literal, $stop:literal;)*) => {
        $(#[test] fn $name() { run_all($loss, $burst, $stop); })*
    };
}

losses! {
    all_bytes_arrive_without_loss: 0, 1, false;
    all_bytes_arrive_without_loss_when_the_reader_stops: 0, 1, true;
    all_bytes_arrive_at_1_percent: 10, 1, false;
    all_bytes_arrive_at_1_percent_when_the_reader_stops: 10, 1, true;
    all_bytes_arrive_at_1_percent_in_bursts: 10, 5, false;
    all_bytes_arrive_at_1_percent_in_bursts_when_the_reader_stops: 10, 5, true;
    all_bytes_arrive_at_5_percent: 50, 1, false;
    all_bytes_arrive_at_5_percent_when_the_reader_stops: 50, 1, true;
    all_bytes_arrive_at_5_percent_in_bursts: 50, 5, false;
    all_bytes_arrive_at_5_percent_in_bursts_when_the_reader_stops: 50, 5, true;
    all_bytes_arrive_at_10_percent: 100, 1, false;
    all_bytes_arrive_at_10_percent_when_the_reader_stops: 100, 1, true;
    all_bytes_arrive_at_10_percent_in_bursts: 100, 5, false;
    all_bytes_arrive_at_10_percent_in_bursts_when_the_reader_stops: 100, 5, true;
    all_bytes_arrive_at_20_percent: 200, 1, false;
    all_bytes_arrive_at_20_percent_when_the_reader_stops: 200, 1, true;
    all_bytes_arrive_at_20_percent_in_bursts: 200, 5, false;
    all_bytes_arrive_at_20_percent_in_bursts_when_the_reader_stops: 200, 5, true;
}
