//! How much gets through: a table of weather and of what must at least be carried. Virtual time,
//! so a change of these figures is a change of behaviour.

use super::*;

/// Kilobytes a second that one stream of `bytes` achieves.
fn goodput(weather: Weather, bytes: usize) -> u64 {
    let mut world = World::new(weather, 7);
    let id = world.open();
    let (start, data) = (world.now, content(0, 1 << 16));
    let (mut written, mut read) = (0, 0);
    while read < bytes {
        while written < bytes {
            let chunk = &data[..data.len().min(bytes - written)];
            match world.flows[0].write(world.now, id, chunk).expect("writes") {
                0 => break,
                taken => written += taken,
            }
        }
        read += world.read_all(1, id).len();
        let until = world.now + Duration::from_secs(10);
        world.step(until);
    }
    let took = world.now.saturating_duration_since(start);
    bytes as u64 * 1000 / took.as_micros() as u64
}

#[test]
fn a_clean_path_is_filled() {
    let path = |delay, rate, queue| Weather {
        delay,
        rate,
        queue,
        ..Weather::default()
    };
    for (weather, least) in [
        (
            path(Duration::from_micros(25), 1_000_000_000, 20_000_000),
            900_000,
        ),
        (path(ms(5), 10_000_000, 200_000), 9_000),
        (path(ms(25), 10_000_000, 200_000), 7_500),
        (path(ms(100), 2_000_000, 200_000), 1_500),
    ] {
        let carried = goodput(weather, 20_000_000);
        assert!(carried >= least, "{carried} of {least} KB/s, {weather:?}");
    }
}

#[test]
fn random_loss_costs_what_theory_says() {
    // 1.22 * packet / (rtt * sqrt(loss)): what Reno achieves; CUBIC is no worse.
    let path = |delay, loss| Weather {
        delay,
        loss,
        ..Weather::default()
    };
    for (weather, least) in [
        (path(ms(5), 1), 4_200),
        (path(ms(25), 10), 240),
        (path(ms(25), 50), 80),
        (path(Duration::from_micros(25), 50), 5_000),
    ] {
        let carried = goodput(weather, 4_000_000);
        assert!(carried >= least, "{carried} of {least} KB/s, {weather:?}");
    }
}

#[test]
fn mild_reordering_costs_little() {
    let weather = Weather {
        delay: ms(25),
        jitter: ms(2),
        ..Weather::default()
    };
    let carried = goodput(weather, 20_000_000);
    assert!(carried >= 5_000, "{carried} KB/s");
}
