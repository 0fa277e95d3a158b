//! What a router sees, and what one link tells of another (links.md, "Private mesh").

use std::time::Duration;

use telehash_hashname::Csid;

use crate::reach::{around_a_router, talk};

const SOON: Duration = Duration::from_secs(5);

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[test]
fn a_router_can_neither_read_nor_alter_what_it_carries() {
    let (mut world, [a, b, r]) = around_a_router(1, &[Csid::CS42, Csid::CS3A]);
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    // What it is handed in requests is sealed for the target: no key of the sender, no word of JSON.
    let key = world.keys(a).key(Csid::CS42).unwrap().to_vec();
    for (_, _, body) in world.nodes[b].connects.clone() {
        assert!(body.starts_with(&[0, 1]));
        assert!(!contains(&body, &key) && !contains(&body, b"\"at\""));
    }
    world.recorded = Some(Vec::new());
    talk(&mut world, a, b, 5000);
    let recorded = world.recorded.take().unwrap();
    let of_router = recorded.iter().filter(|(id, ..)| *id == r);
    let needle: Vec<u8> = (100..140).collect();
    for (_, _, bytes) in of_router.clone() {
        assert!(!contains(bytes, &needle), "plaintext");
    }
    assert!(of_router.count() > 5, "it carried that");
    // A changed packet authenticates nowhere.
    let rejected = world.link(b, a).unwrap().stats().rejected;
    let carried = recorded
        .iter()
        .filter(|(id, to, _)| *id == r && *to == world.nodes[b].address);
    let changed: Vec<Vec<u8>> = carried
        .map(|(_, _, bytes)| {
            let mut bytes = bytes.clone();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            bytes
        })
        .collect();
    let router = world.nodes[r].address;
    world.nodes[b].received.clear();
    for bytes in changed {
        world.inject(router, b, bytes);
    }
    world.run(Duration::from_millis(500));
    assert!(world.link(b, a).unwrap().stats().rejected > rejected);
    assert!(world.nodes[b].received.is_empty());
}

#[test]
fn one_link_names_nobody_of_another_but_a_router_and_who_is_asked_for() {
    let (mut world, [a, b, r]) = around_a_router(2, &[Csid::CS3A]);
    let c = world.add();
    world.tells_address(a);
    world.tells_address(b);
    world.dial(a, c);
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b) && world.is_up(a, c)));
    world.run(Duration::from_secs(120));
    // All plaintext that ends of links saw: what the others learnt of paths and requests.
    let (of_b, of_r) = (world.heard(c, a), world.heard(r, a));
    let name = |id| world.name(id).to_string();
    let address = |id: usize| world.nodes[id].address.ip().to_string();
    for other in [b, r] {
        assert!(
            !contains(&of_b, name(other).as_bytes()),
            "C learns of {other}"
        );
        assert!(
            !contains(&of_b, address(other).as_bytes()),
            "C learns where {other} is"
        );
    }
    assert!(!of_b.is_empty() && contains(&of_b, address(a).as_bytes()));
    assert!(!contains(&of_r, name(c).as_bytes()) && !contains(&of_r, address(c).as_bytes()));
    assert!(contains(&of_r, name(b).as_bytes()), "A asked for B");
}
