//! Whatever happens, in whatever order: the window and the rate stay within their bounds.

use core::time::Duration;

use proptest::prelude::*;
use telehash_e3x::Instant;

use super::super::{Bbr, control::MAX_RATE};
use crate::flow::congestion::{Controller, Cubic, Departure, LostPacket, MAX_WINDOW, RateSample};

/// Something that a controller is told.
#[derive(Clone, Copy, Debug)]
enum Call {
    Size(u64),
    Sent(Departure),
    Lost(LostPacket),
    Loss(u64),
    Ack(RateSample),
    Spurious,
    Persistent,
}

/// Numbers of every size, so that sums and products overflow if they can.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0_u64..3_000_000,
        1 => any::<u64>(),
        1 => Just(0),
        1 => Just(u64::MAX),
    ]
}

fn time() -> impl Strategy<Value = Duration> {
    number().prop_map(Duration::from_micros)
}

fn sample() -> impl Strategy<Value = RateSample> {
    let counts = (number(), number(), number(), number(), number(), number());
    let times = (time(), proptest::option::of(time()), time(), number());
    (counts, times, any::<bool>()).prop_map(|(counts, times, app_limited)| {
        let (acked, delivered, sent_in_flight, lost, in_flight, total_delivered) = counts;
        let (interval, rtt, smoothed_rtt, sent) = times;
        RateSample {
            now: Instant::default(),
            newest_sent_at: Instant::from_micros(sent),
            // No more than can have been under way.
            acked: acked % (MAX_WINDOW + 1),
            delivered,
            interval,
            sent_in_flight,
            lost,
            rtt,
            smoothed_rtt: smoothed_rtt.min(Duration::from_secs(1 << 20)),
            in_flight,
            sent,
            total_delivered,
            app_limited,
        }
    })
}

fn call() -> impl Strategy<Value = Call> {
    let sent = (number(), number(), any::<bool>()).prop_map(|(bytes, in_flight, app_limited)| {
        Call::Sent(Departure {
            now: Instant::default(),
            bytes,
            in_flight,
            app_limited,
        })
    });
    let lost = (
        number(),
        number(),
        number(),
        number(),
        number(),
        any::<bool>(),
    );
    let lost = lost.prop_map(|(sent_at, number, bytes, in_flight, lost, app_limited)| {
        Call::Lost(LostPacket {
            now: Instant::default(),
            sent_at: Instant::from_micros(sent_at),
            number,
            bytes,
            in_flight,
            lost,
            app_limited,
        })
    });
    prop_oneof![
        1 => (0_u64..100_000).prop_map(Call::Size),
        8 => sent,
        8 => lost,
        2 => number().prop_map(Call::Loss),
        16 => sample().prop_map(Call::Ack),
        1 => Just(Call::Spurious),
        1 => Just(Call::Persistent),
    ]
}

fn tell(controller: &mut dyn Controller, now: Instant, call: Call) {
    match call {
        Call::Size(bytes) => controller.set_packet_size(bytes),
        Call::Sent(departure) => controller.on_sent(&Departure { now, ..departure }),
        Call::Lost(lost) => controller.on_packet_lost(&LostPacket { now, ..lost }),
        Call::Loss(at) => controller.on_loss(now, Instant::from_micros(at), 1200),
        Call::Ack(sample) => controller.on_ack(&RateSample { now, ..sample }),
        Call::Spurious => controller.on_spurious_loss(now),
        Call::Persistent => controller.on_persistent_congestion(now),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_stops_the_sender_or_lets_it_loose(
        calls in proptest::collection::vec((0_u64..20_000_000, call()), 1..200)
    ) {
        let controllers: [&mut dyn Controller; 2] = [&mut Bbr::new(), &mut Cubic::new()];
        for controller in controllers {
            let mut now = Instant::from_micros(1_000_000_000);
            for (pause, call) in calls.clone() {
                now += Duration::from_micros(pause);
                tell(controller, now, call);
                prop_assert!(controller.window() > 0);
                prop_assert!(controller.window() <= MAX_WINDOW);
                if let Some(rate) = controller.pacing_rate() {
                    prop_assert!(rate > 0);
                }
            }
        }
    }

    #[test]
    fn the_rate_of_bbr_has_a_ceiling(
        calls in proptest::collection::vec((0_u64..20_000_000, call()), 1..100)
    ) {
        let mut bbr = Bbr::new();
        let mut now = Instant::from_micros(1_000_000_000);
        for (pause, call) in calls {
            now += Duration::from_micros(pause);
            tell(&mut bbr, now, call);
            prop_assert!(bbr.pacing_rate().is_none_or(|rate| rate <= MAX_RATE));
        }
    }
}
