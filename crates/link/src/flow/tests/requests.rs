//! Many short channels, some at once: each is answered, whatever was lost.

use alloc::collections::BTreeMap;

use super::*;

const AT_ONCE: usize = 64;
const REQUESTS: usize = 1000;
const BYTES: usize = 3000;

/// Channels that are open, and how much of the answer came.
type UnderWay = BTreeMap<ChannelId, usize>;

fn open_some(world: &mut World, under_way: &mut UnderWay, opened: &mut usize) {
    while under_way.len() < AT_ONCE && *opened < REQUESTS {
        let flow = &mut world.flows[0];
        let id = flow
            .open(world.now, Open::reliable("stream"))
            .expect("opens");
        let taken = flow.write(world.now, id, &content(0, BYTES));
        assert_eq!(taken, Ok(BYTES));
        flow.end(world.now, id).expect("ends");
        under_way.insert(id, 0);
        *opened += 1;
    }
}

/// Accepts, and echoes.
fn serve(world: &mut World) {
    for event in core::mem::take(&mut world.events[1]) {
        match event {
            ChannelEvent::Opened { id, .. } => {
                world.flows[1].accept(world.now, id).expect("accepts");
            }
            ChannelEvent::Readable(id) => {
                let bytes = world.read_all(1, id);
                let taken = world.flows[1].write(world.now, id, &bytes);
                assert_eq!(taken, Ok(bytes.len()));
            }
            ChannelEvent::Finished(id) => world.flows[1].end(world.now, id).expect("ends"),
            ChannelEvent::Failed { id, error } => panic!("{id:?} failed at its server: {error}"),
            _ => {}
        }
    }
}

fn collect(world: &mut World, under_way: &mut UnderWay) {
    for event in core::mem::take(&mut world.events[0]) {
        match event {
            ChannelEvent::Readable(id) => {
                let read = world.read_all(0, id).len();
                *under_way.get_mut(&id).expect("under way") += read;
            }
            ChannelEvent::Finished(id) => assert_eq!(under_way.remove(&id), Some(BYTES)),
            ChannelEvent::Failed { id, error } => panic!("{id:?} failed: {error}"),
            _ => {}
        }
    }
}

/// An open that was lost goes again after a second, when hundreds of later ones have come: it used
/// to count as used.
#[test]
fn an_open_that_is_lost_among_many_is_answered() {
    for seed in 0..20 {
        let weather = Weather {
            loss: 50,
            ..Weather::default()
        };
        let mut world = World::new(weather, seed);
        let (mut under_way, mut opened) = (UnderWay::new(), 0);
        let deadline = world.now + Duration::from_secs(300);
        while opened < REQUESTS || !under_way.is_empty() {
            open_some(&mut world, &mut under_way, &mut opened);
            assert!(world.step(deadline), "seed {seed}: {under_way:?}");
            serve(&mut world);
            collect(&mut world, &mut under_way);
        }
        assert_eq!(opened, REQUESTS);
    }
}
