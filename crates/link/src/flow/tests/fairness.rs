//! Channels share a pipe.

use super::*;

/// Opens channels that all write as fast as they can, and counts what each gets through.
fn share(channels: usize, time: Duration, small: usize) -> Vec<usize> {
    let weather = Weather {
        rate: 2_000_000,
        queue: 60_000,
        ..Weather::default()
    };
    let mut world = World::new(weather, 11);
    let ids: Vec<ChannelId> = (0..channels)
        .map(|_| {
            world.flows[0]
                .open(world.now, Open::reliable("stream"))
                .expect("opens")
        })
        .collect();
    world.drive(ms(3000));
    for id in &ids {
        world.flows[1].accept(world.now, *id).expect("accepts");
    }
    world.drive(ms(3000));
    let mut read = alloc::vec![0; channels];
    let end = world.now + time;
    let data = content(0, 20_000);
    while world.now < end {
        for (n, id) in ids.iter().enumerate() {
            if n < small {
                // Messages of a few bytes, one packet each.
                while world.flows[0]
                    .send(world.now, *id, Packet::new(&b"tiny message"[..]))
                    .is_ok()
                {}
            } else {
                world.flows[0].write(world.now, *id, &data).expect("writes");
            }
            read[n] += world.read_all(1, *id).len();
        }
        world.step(end);
    }
    read
}

#[test]
fn sixty_four_channels_get_the_same() {
    let read = share(64, ms(20_000), 0);
    let (least, most) = (
        read.iter().min().expect("64"),
        read.iter().max().expect("64"),
    );
    assert!(least * 10 >= most * 8, "{least} to {most} bytes");
    assert!(read.iter().sum::<usize>() > 25_000_000);
}

#[test]
fn channels_with_small_packets_are_not_starved_and_starve_nobody() {
    let read = share(8, ms(10_000), 4);
    let (small, large) = read.split_at(4);
    assert!(small.iter().all(|bytes| *bytes > 50_000), "{read:?}");
    assert!(large.iter().all(|bytes| *bytes > 1_000_000), "{read:?}");
}

#[test]
fn an_idle_channel_is_served_at_once_among_busy_ones() {
    let weather = Weather {
        rate: 2_000_000,
        queue: 20_000,
        ..Weather::default()
    };
    let mut world = World::new(weather, 11);
    let ids: Vec<ChannelId> = (0..40).map(|_| world.open()).collect();
    let (quiet, busy) = ids.split_first().expect("forty");
    let data = content(0, 100_000);
    for round in 0..300 {
        for id in busy {
            world.flows[0].write(world.now, *id, &data).expect("writes");
            world.read_all(1, *id);
        }
        if round == 200 {
            world.flows[0]
                .write(world.now, *quiet, b"urgent")
                .expect("writes");
            // Its turn comes within one round of packets of the others.
            let id = quiet.get();
            let mut before = 0;
            loop {
                let mut packet = Vec::new();
                let sent = world.flows[0].poll_packet(world.now, SLOT, MAX_PLAIN, &mut packet);
                if sent.is_none() {
                    let next = world.next().expect("busy");
                    world.now = world.now.max(next);
                    world.settle_without(0);
                    continue;
                }
                let (head, _) = script::decode(&packet);
                if head["c"] == id && !head["seq"].is_null() {
                    break;
                }
                before += packet.len();
            }
            assert!(before < 40 * 3 * 4096, "{before} bytes went before");
            return;
        }
        world.drive(ms(10));
    }
}
