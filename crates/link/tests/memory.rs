//! Memory of both ends stays within the limits, whatever the peer and the reader do.
//! One test in its own process: it weighs the process.

use std::{fs, sync::Arc, sync::Mutex, time::Duration};

use telehash_link::{
    ChannelEvent, ChannelId, Event, Instant, LINK_RECV_BYTES, Link, LinkKey, MAX_CHANNELS, Open,
    OpenError,
};
use telehash_netsim::{App, Conditions, World};

/// Bytes that each channel's writer has ready.
const EACH: usize = 192 << 10;

/// Opens as many channels as it may and fills each.
struct Opener(Arc<Mutex<Vec<ChannelId>>>);

/// Accepts every channel and reads from none.
struct NeverReads;

impl App for Opener {
    fn on_event(&mut self, now: Instant, _: LinkKey, link: &mut Link, event: Event) {
        if !matches!(event, Event::Up) {
            return;
        }
        let chunk = vec![0xa5; EACH];
        let mut opened = self.0.lock().unwrap();
        loop {
            match link.open(now, Open::reliable("stream")) {
                Ok(id) => {
                    assert_eq!(link.write(now, id, &chunk), Ok(EACH));
                    opened.push(id);
                }
                Err(OpenError::TooMany { .. }) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl App for NeverReads {
    fn on_event(&mut self, now: Instant, _: LinkKey, link: &mut Link, event: Event) {
        if let Event::Channel(ChannelEvent::Opened { id, .. }) = event {
            link.accept(now, id).unwrap();
        }
    }
}

#[test]
fn a_thousand_channels_that_nobody_reads_stay_within_the_limits() {
    let before = resident();
    let mut world = World::new(1);
    let opened = Arc::new(Mutex::new(Vec::<ChannelId>::new()));
    let opener = world.add(Opener(opened.clone()));
    let reader = world.add(NeverReads);
    world
        .network()
        .set_conditions(&Conditions::perfect().with_delay(Duration::from_millis(5)));
    world.connect(opener, reader).unwrap();
    world.run(Duration::from_secs(300));
    assert_eq!(opened.lock().unwrap().len(), MAX_CHANNELS);
    assert!(world.is_up(opener, reader), "the link keeps working");
    let written = MAX_CHANNELS * EACH;
    let grown = resident().saturating_sub(before);
    // The writers' bytes, the readers' buffers, and per channel what an allocator rounds up to.
    let bound = written + LINK_RECV_BYTES + MAX_CHANNELS * (96 << 10);
    println!("{grown} bytes for {MAX_CHANNELS} channels, bound {bound}");
    assert!(grown < bound, "{grown} bytes, bound {bound}");

    // What is held for the reader: all that can be read before anything else arrives.
    let ids = opened.lock().unwrap().clone();
    let held = world.with_link(reader, opener, |now, link| {
        let read = |id| -> usize {
            core::iter::from_fn(|| link.read(now, id).ok()?)
                .map(|packet| packet.body.len())
                .sum()
        };
        ids.into_iter().map(read).sum::<usize>()
    });
    let held = held.expect("the link is there");
    println!("{held} bytes held for the reader");
    // Each empty buffer takes the one packet it waits for, whatever the link holds.
    let most = LINK_RECV_BYTES + MAX_CHANNELS * 1400;
    assert!(
        (LINK_RECV_BYTES / 4..most).contains(&held),
        "{held} bytes, at most {most}"
    );
}

/// Resident memory of this process, in bytes; 0 where the system does not tell.
fn resident() -> usize {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}
