//! The link layer: from bytes to datagrams, from datagrams to bytes, and acknowledgements.

use telehash_benches::Links;
use telehash_hashname::Csid;

use crate::counter::Counter;

/// Packets of one run.
const RUN: usize = 16;

/// Runs of each.
const RUNS: usize = 8;

/// Bytes of a full datagram.
const DATAGRAM: usize = 1400;

pub(crate) fn count(counter: &mut Counter) {
    for csid in [Csid::CS3A, Csid::CS42] {
        let links = &mut Links::new(csid);
        for _ in 0..RUNS {
            let datagrams = one_by_one(counter, links, csid);
            arrive(counter, links, csid, datagrams);
            let datagrams = run(counter, links, csid);
            arrive(counter, links, csid, datagrams);
        }
    }
}

/// Each packet is written and leaves before the next.
fn one_by_one(counter: &mut Counter, links: &mut Links, csid: Csid) -> Vec<Vec<u8>> {
    let quota = links.quota();
    let mut datagrams = Vec::new();
    for _ in 0..RUN {
        counter.count(&format!("link, cs{csid}: send one packet"), 1, || {
            links.write(quota);
            links.send(1);
        });
        datagrams.extend(links.sent(DATAGRAM));
    }
    datagrams
}

/// As many as are written at once leave at once.
fn run(counter: &mut Counter, links: &mut Links, csid: Csid) -> Vec<Vec<u8>> {
    let quota = links.quota();
    counter.count(&format!("link, cs{csid}: send a run"), RUN, || {
        links.write(RUN * quota);
        links.send(RUN);
    });
    links.sent(DATAGRAM)
}

/// They are received and acknowledged, which the sender hears.
fn arrive(counter: &mut Counter, links: &mut Links, csid: Csid, mut datagrams: Vec<Vec<u8>>) {
    assert_eq!(datagrams.len(), RUN, "full packets");
    links.wait();
    let quota = links.quota();
    counter.count(&format!("link, cs{csid}: receive"), RUN, || {
        assert_eq!(links.receive(&mut datagrams), RUN * quota);
    });
    let mut acks = Vec::new();
    // How many there are is up to the link: what they take is counted for each data packet.
    counter.count(&format!("link, cs{csid}: acknowledge"), RUN, || {
        acks = links.answers();
    });
    assert!(!acks.is_empty(), "a run is acknowledged at once");
    links.wait();
    counter.count(&format!("link, cs{csid}: hear of it"), RUN, || {
        links.take(&mut acks);
    });
}
